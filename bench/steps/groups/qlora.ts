import { benchRow } from '../../row.ts';
import { memoryRow, type StepGroup, type StepSettings, speedRow } from '../group.ts';
import { loraPeers, loraStep } from './lora.ts';

const quantized = 'qlora-step-135m-nf4-t512';
const plain = 'lora-step-135m-bf16-t512';
const ratio = 'qlora-of-lora-135m-t512';

/** The quantised base beside the plain one, so that their ratio is of one run. */
export const qloraGroup: StepGroup = {
	rowNames: [quantized, 'peak-rss-qlora-135m', ratio],
	own: { [quantized]: loraStep(512, 'nf4'), [plain]: loraStep(512) },
	peers: (['fp32', 'bf16'] as const).map((type) => ({
		name: `PEFT + bitsandbytes ${type}`,
		needsBf16: type === 'bf16',
		script: 'llama.py',
		settings: { task: 'lora', base: `nf4-${type}`, compiled: false, batch: 4, length: 128 },
	})),
	rows: (figures) => [
		speedRow(quantized, loraStep(512, 'nf4'), figures),
		memoryRow('peak-rss-qlora-135m', quantized, figures),
		benchRow({
			name: ratio,
			value: figures.speed(quantized) / figures.speed(plain),
			unit: 'of the bf16 base',
		}),
	],
};

const large = 'qlora-step-1.5b-nf4-t1024';
const largeStep: StepSettings = { ...loraStep(1024, 'nf4'), shape: '1.5b', checkpointing: true };

/** A model of 1.5 billion random parameters, within the memory of a laptop: checkpointed, unlike its limit. */
export const largeQloraGroup: StepGroup = {
	rowNames: [large, 'peak-rss-qlora-1.5b'],
	optional: true,
	maxRounds: 3,
	own: { [large]: largeStep },
	peers: loraPeers(8, '1.5b'),
	rows: (figures) => [speedRow(large, largeStep, figures), memoryRow('peak-rss-qlora-1.5b', large, figures)],
};
