import { median } from '../../interleave.ts';
import { type BenchRow, benchRow } from '../../row.ts';
import { type PeerStep, type StepFigures, type StepGroup, type StepSettings, speedRow } from '../group.ts';
import type { ModelName } from '../model.ts';

/** A LoRA step of packed real functions. */
export const loraStep = (length: number, base: StepSettings['base'] = 'bf16'): StepSettings => ({
	task: 'lora',
	base,
	precision: 'bf16',
	length,
	functions: 'packed',
});

/** PyTorch gets as many tokens in its best shape: functions of 128 tokens without padding. */
export function loraPeers(batch: number, shape: ModelName = '135m'): PeerStep[] {
	return (['fp32', 'bf16'] as const).flatMap((base) =>
		[false, true].map((compiled) => ({
			name: `PyTorch + PEFT ${base}${compiled ? ' torch.compile' : ''}`,
			needsBf16: base === 'bf16',
			script: 'llama.py' as const,
			shape,
			settings: { task: 'lora' as const, base, compiled, batch, length: 128 },
		})),
	);
}

/**
 * A LoRA step with a dense base; from the shorter one also what is spent outside of kernels and before an epoch, and
 * beside the longer one the same with the base's products in 8 bits.
 */
export function loraGroup(length: 512 | 1024): StepGroup {
	const name = `lora-step-135m-bf16-t${length}`;
	const step = loraStep(length);
	const shares = { 'outside-kernels-share': outsideKernels, 'preparation-share-of-epoch-x1': preparation };
	const further = length === 512 ? Object.entries(shares) : [];
	const inInt8 = `lora-step-135m-int8-t${length}`;
	const steps: Readonly<Record<string, StepSettings>> = {
		[name]: step,
		...(length === 1024 ? { [inInt8]: { ...step, precision: 'int8' } } : {}),
	};
	return {
		rowNames: [...Object.keys(steps), ...further.map(([rowName]) => rowName)],
		own: steps,
		peers: loraPeers(length / 128),
		rows: (figures) => [
			...Object.entries(steps).map(([rowName, settings]) => speedRow(rowName, settings, figures)),
			...further.flatMap(([rowName, row]) => row(rowName, name, figures)),
		],
	};
}

function outsideKernels(name: string, key: string, figures: StepFigures): BenchRow[] {
	const value = median(figures.results(key).map(({ profile }) => profile!.outside));
	return [benchRow({ name, value, unit: 'of a step' })];
}

/** Tokenising and packing the training split of X1, as part of the time of its first epoch. */
function preparation(name: string, key: string, figures: StepFigures): BenchRow[] {
	const epoch = figures.description(key).preparation;
	if (epoch === undefined) return [];
	const training = epoch.tokens / figures.speed(key);
	return [benchRow({ name, value: epoch.seconds / (epoch.seconds + training), unit: 'of an epoch' })];
}
