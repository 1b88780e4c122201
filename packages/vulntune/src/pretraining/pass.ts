import {
	type Backend,
	type Checkpointing,
	type Context,
	linearCrossEntropy,
	type Model,
	outputMatrixOf,
	type Pending,
	type Precision,
	release,
	Tape,
	type Tensor,
	upload,
	uploadTargets,
} from '@vulntune/engine';
import { hiddenStates } from '../objectives/hidden-states.ts';
import { inArena } from '../scoring/micro-batch.ts';
import type { Sequence } from './sequences.ts';

/** How a pass computes. */
export interface PassSettings {
	readonly backend: Backend;
	readonly model: Model;
	readonly precision: Precision;
	readonly checkpointing: Checkpointing;
}

/** Adds factor × ∂(Σ losses) of a sequence to the gradients; gives Σ losses, on its way to the host. */
export function trainOnSequence(sequence: Sequence, factor: number, settings: PassSettings): Pending<number> {
	const tape = new Tape();
	const mode = { tape, dropoutSeed: undefined };
	return inArena(settings.backend, settings.precision, mode, (context) => {
		const losses = tokenLosses(context, sequence, settings); // [T]
		const dLosses = upload(context, new Float32Array(losses.shape[0]!).fill(factor)); // [T]
		const sum = sumOf(context, losses);
		tape.backward(context, losses, dLosses);
		return sum;
	});
}

/** Σ losses of a sequence, without gradients. */
export function measureSequence(sequence: Sequence, settings: PassSettings): number {
	const mode = { tape: undefined, dropoutSeed: undefined };
	return inArena(settings.backend, settings.precision, mode, (context) =>
		sumOf(context, tokenLosses(context, sequence, settings))(),
	);
}

function tokenLosses(context: Context, { pack, targets }: Sequence, settings: PassSettings): Tensor {
	const { model, checkpointing } = settings;
	const hidden = hiddenStates(context, { model }, pack, checkpointing); // [T, H]
	const losses = linearCrossEntropy(context, hidden, outputMatrixOf(model), uploadTargets(context, targets)); // [T]
	release(context, hidden);
	return losses;
}

function sumOf(context: Context, losses: Tensor): Pending<number> {
	const values = context.backend.startDownload(losses);
	return () => {
		let sum = 0;
		for (const loss of values()) sum += loss;
		return sum;
	};
}
