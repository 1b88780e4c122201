import path from 'node:path';
import { askPeers } from '../peers.ts';
import { longSequences, onGround, timed } from '../runs.ts';
import { shapeOf13B, writeSyntheticModel } from '../synthetic-model.ts';

const ofPeers = ['40x5120x13824x40x2048'];

/**
 * Steps of a whole model of 13 billion random weights, which takes 26 GB of disk for the time: on NF4 and on bf16, with as little of the
 * card's memory as goes, and what PEFT takes for the same.
 */
export function wholePart() {
	const ours = onGround((ground) => {
		const model = path.join(ground.folder, '13b');
		const start = performance.now();
		writeSyntheticModel(model, shapeOf13B(40));
		const writeSeconds = (performance.now() - start) / 1000;
		return {
			writeSeconds,
			nf4: timed(ground, model, ...longSequences),
			nf4Checkpointed: timed(ground, model, ...longSequences, '--training.checkpointing', 'true'),
			bf16: timed(ground, model, ...longSequences, '--method.type', 'lora', '--method.base', 'bf16'),
		};
	});
	return { ...ours, peft: askPeers('step', ofPeers), bitsandbytes: askPeers('qlora', ofPeers) };
}
