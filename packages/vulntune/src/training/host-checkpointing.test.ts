/** Block inputs that are kept in the host's memory while a card computes: what comes of it, on the stand-in for libcuda. */
import path from 'node:path';
import { openModelFolder } from '@vulntune/engine';
import { createStandInBackend, prepareStandIn } from '@vulntune/engine/backends/cuda/testing/stand-in.ts';
import { expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { createDetectorOf } from '../scoring/configured-detector.ts';
import { trainOnPack } from '../scoring/micro-batch.ts';
import { fullPacks } from './rehearsed-run.ts';

const { missing } = await prepareStandIn();
const [layers, hidden] = [4, 64];
const deep = writeTinyModel(path.join(temporaryFolder(), 'deep'), {
	...tinyShapes.llama,
	...{ num_hidden_layers: layers, hidden_size: hidden },
});

/** Losses and gradients of two packs, and what was held of the card and of its machine. */
function train(checkpointing: 'true' | 'host') {
	const config = tinyConfig(
		{ model: deep, data: 'none', output: '/o' },
		{
			...{
				'sequence.length': '48',
				'method.type': 'qlora',
				'method.base': 'nf4',
				'training.precision': 'bf16',
			},
			'training.checkpointing': checkpointing,
		},
	);
	const folder = openModelFolder(deep);
	const backend = createStandInBackend();
	const detector = createDetectorOf(config, backend, folder);
	folder.close();
	const pass = {
		objective: classObjective,
		precision: 'bf16',
		focal: { gamma: 1, gradient: 'full' },
		checkpointing: checkpointing === 'host' ? 'host' : true,
	} as const;
	const pack = fullPacks(40).trained;
	const targets = {
		labels: pack.functionIndex.map((_, f) => f % 2),
		weights: new Float32Array(pack.functionIndex.length).fill(1),
	};
	const losses = [1, 2].map((seed) => trainOnPack(detector, pack, targets, 1, seed, pass));
	const gradients = backend.download(detector.parameters.gradients);
	const { host, peakBytes } = backend.memory();
	backend.close();
	return { losses, gradients, host: host!.heldBytes, peakBytes };
}

it.skipIf(missing !== undefined)('gives the bytes of those that stay on the card', () => {
	const [onCard, onHost] = [train('true'), train('host')];
	expect(onHost.losses).toEqual(onCard.losses);
	expect(onHost.gradients).toEqual(onCard.gradients);
	expect(onHost.gradients.some((value) => value !== 0)).toBe(true);
	expect(onCard.host).toBe(0);
	expect(onHost.host).toBeGreaterThanOrEqual(layers * 2 * 40 * hidden);
	expect(onHost.peakBytes).toBeLessThan(onCard.peakBytes);
});
