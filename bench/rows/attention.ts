import type { AttentionOptions, Backend, View } from '@vulntune/engine';
import { smolLm135m } from '../shapes.ts';
import { tensorsOn } from '../tensors.ts';
import type { KernelCase } from './kernels.ts';

/** Packs of functions as they come (in tokens), and single functions that fill a sequence. */
const packs: Readonly<Record<string, readonly number[]>> = {
	'packed-512': [61, 94, 117, 240],
	'packed-1024': [48, 73, 96, 121, 160, 214, 312],
	'one-512': [512],
	'one-1024': [1024],
};

/** Attention within the functions of a pack, in fp32 arithmetic. */
export function attentionCases(backend: Backend): KernelCase[] {
	return Object.entries(packs).flatMap(([name, lengths]) =>
		(['forward', 'backward'] as const).map((direction) => attentionCase(backend, name, lengths, direction)),
	);
}

function attentionCase(
	backend: Backend,
	name: string,
	lengths: readonly number[],
	direction: 'forward' | 'backward',
): KernelCase {
	const { heads, keyValueHeads, headDim } = smolLm135m;
	// pairs of a token and one that it sees
	const pairs = lengths.reduce((sum, length) => sum + (length * (length + 1)) / 2, 0);
	// forward multiplies q k and p v; backward makes q k again, then dp, dv, dq and dk
	const products = direction === 'forward' ? 2 : 5;
	return {
		name: `attention-135m-${direction}-${name}`,
		work: { operations: products * 2 * headDim * heads * pairs, precision: 'fp32' },
		prepare() {
			const tensors = tensorsOn(backend);
			const tokens = lengths.reduce((sum, length) => sum + length, 0);
			const starts = [0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b, 0))];
			const segments = tensors.segments(Int32Array.from(starts));
			const wide = (): View => tensors.random(tokens, heads * headDim); // [T, heads × D]
			const narrow = (): View => tensors.random(tokens, keyValueHeads * headDim); // [T, keyValueHeads × D]
			const [q, out, dOut, dq] = [wide(), wide(), wide(), wide()];
			const [k, v, dk, dv] = [narrow(), narrow(), narrow(), narrow()];
			const logSumExp = tensors.random(tokens, heads);
			const shape: AttentionOptions = {
				heads,
				keyValueHeads,
				headDim,
				causal: true,
				scale: 1 / Math.sqrt(headDim),
				precision: 'fp32',
			};
			const forward = () => backend.attention(out, logSumExp, q, k, v, segments, shape);
			forward();
			const saved = { q, k, v, out, logSumExp, segments };
			const backward = () => backend.attentionBackward({ dq, dk, dv }, saved, dOut, shape);
			return { run: direction === 'forward' ? forward : backward, free: tensors.free };
		},
	};
}
