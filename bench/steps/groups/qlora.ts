import { benchRow } from '../../row.ts';
import { type StepGroup, speedRow } from '../group.ts';
import { loraStep } from './lora.ts';

const quantized = 'qlora-step-135m-nf4-t512';
const plain = 'lora-step-135m-bf16-t512';

/** The quantised base beside the plain one, so that their ratio is of one run. */
export const qloraGroup: StepGroup = {
	rowNames: [quantized, 'peak-rss-qlora-135m', 'qlora-of-lora-135m-t512'],
	own: { [quantized]: loraStep(512, 'nf4'), [plain]: loraStep(512) },
	peers: (['fp32', 'bf16'] as const).map((type) => ({
		name: `PEFT + bitsandbytes ${type}`,
		needsBf16: type === 'bf16',
		script: 'llama.py',
		settings: { task: 'lora', base: `nf4-${type}`, compiled: false, batch: 4, length: 128 },
	})),
	rows(figures) {
		const smallest = figures.peers.toSorted((a, b) => a.peakBytes - b.peakBytes)[0];
		const peakBytes = Math.max(...figures.results(quantized).map((result) => result.peakBytes));
		return [
			speedRow(quantized, 'lora', figures),
			benchRow({
				name: 'peak-rss-qlora-135m',
				value: peakBytes / 2 ** 20,
				unit: 'MiB',
				peer: smallest && { name: smallest.name, value: smallest.peakBytes / 2 ** 20 },
				peerAbsent: figures.peerAbsent,
				note: smallest && figures.peerNote,
			}),
			benchRow({
				name: 'qlora-of-lora-135m-t512',
				value: figures.speed(quantized) / figures.speed(plain),
				unit: 'of the bf16 base',
			}),
		];
	},
};
