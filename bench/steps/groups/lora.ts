import { median } from '../../interleave.ts';
import { benchRow } from '../../row.ts';
import { type PeerStep, type StepGroup, type StepSettings, speedRow } from '../group.ts';

/** A LoRA step of packed real functions. */
export const loraStep = (length: number, base: StepSettings['base'] = 'bf16'): StepSettings => ({
	task: 'lora',
	base,
	precision: 'bf16',
	length,
	functions: 'packed',
});

/** PyTorch gets as many tokens in its best shape: functions of 128 tokens without padding. */
export function loraPeers(batch: number): PeerStep[] {
	return (['fp32', 'bf16'] as const).flatMap((base) =>
		[false, true].map((compiled) => ({
			name: `PyTorch + PEFT ${base}${compiled ? ' torch.compile' : ''}`,
			needsBf16: base === 'bf16',
			script: 'llama.py' as const,
			settings: { task: 'lora' as const, base, compiled, batch, length: 128 },
		})),
	);
}

/** A LoRA step with a dense base; what of the shorter one is spent outside of kernels. */
export function loraGroup(length: 512 | 1024): StepGroup {
	const name = `lora-step-135m-bf16-t${length}`;
	const sharesOverhead = length === 512;
	return {
		rowNames: [name, ...(sharesOverhead ? ['outside-kernels-share'] : [])],
		own: { [name]: loraStep(length) },
		peers: loraPeers(length / 128),
		rows(figures) {
			const row = speedRow(name, 'lora', figures);
			if (!sharesOverhead) return [row];
			const value = median(figures.results(name).map(({ profile }) => profile!.outside));
			return [row, benchRow({ name: 'outside-kernels-share', value, unit: 'of a step' })];
		},
	};
}
