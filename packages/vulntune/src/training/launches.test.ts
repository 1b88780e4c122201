/** How many kernels a step starts on a card: each takes the host and the card microseconds, whatever it computes. */

import { createDeviceOf } from '@vulntune/engine/backends/cuda/create-device.ts';
import { cudaBackendOn } from '@vulntune/engine/backends/cuda/cuda.ts';
import { dryDriver } from '@vulntune/engine/backends/cuda/dry-driver.ts';
import { expect, it, vi } from 'vitest';
import { createDryDetector } from '../methods/detector.ts';
import { trainOnPack } from '../scoring/micro-batch.ts';
import { knownModel } from '../sizing/model-shape.ts';
import { unlabelled } from './rehearse.ts';
import { adapterRun } from './what-fits.ts';

/** The kernels of a QLoRA step of so many layers, with double-quantised scales, by a driver that runs nothing. */
function launches(layers: number): string[] {
	const memoryBytes = 2 ** 40;
	const card = { ordinal: 0, name: 'none', capability: 80, driver: 'none', handle: 0 };
	const device = createDeviceOf(
		dryDriver(memoryBytes),
		{ ...card, multiprocessors: 100, memoryBytes },
		'auto',
	);
	// nothing is downloaded that says that all was finite
	const backend = { ...cudaBackendOn(device), quantizeTable4: () => -1 };
	const model = { ...knownModel('SmolLM2-135M')!, layers };
	const { detector: options, packs, pass } = adapterRun(model, 'nf4', 2048, false);
	const detector = createDryDetector(backend, model, options);
	const launch = vi.spyOn(device, 'launch');
	trainOnPack(detector, packs.trained, unlabelled(packs.trained), 1, 1, pass);
	return launch.mock.calls.map(([name]) => name);
}

it('is 68 a layer, none of which only restores scales', () => {
	const [few, many] = [launches(2), launches(4)];
	expect((many.length - few.length) / 2).toBeLessThanOrEqual(68);
	// those of the last block's matrices that a pack's few wanted rows go through
	expect(many.filter((name) => name === 'restoreScales')).toHaveLength(
		few.filter((name) => name === 'restoreScales').length,
	);
});
