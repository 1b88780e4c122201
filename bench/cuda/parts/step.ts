import type { ModelConfig } from '@vulntune/engine';
import { chooseCard } from '@vulntune/engine/backends/cuda/card.ts';
import { createDeviceOf } from '@vulntune/engine/backends/cuda/create-device.ts';
import { cudaBackendOn } from '@vulntune/engine/backends/cuda/cuda.ts';
import type { CudaDevice } from '@vulntune/engine/backends/cuda/device.ts';
import { loadDriver } from '@vulntune/engine/backends/cuda/driver.ts';
import { alone } from 'vulntune/communication/communicator.ts';
import { createDryDetector } from 'vulntune/methods/detector.ts';
import { startPack } from 'vulntune/scoring/micro-batch.ts';
import { knownModel } from 'vulntune/sizing/model-shape.ts';
import { createGradientSum } from 'vulntune/training/gradient-sum.ts';
import { createOptimizer } from 'vulntune/training/optimizer.ts';
import { unlabelled } from 'vulntune/training/rehearse.ts';
import { adapterRun } from 'vulntune/training/what-fits.ts';
import { median } from '../runs.ts';
import { openAheadClock } from '../timing.ts';

const tokens = 2048;
/** Until the host's code is compiled by the engine that runs it, a step takes it several times as long. */
const warmUp = 40;
const measured = 40;

/**
 * Where the time of a QLoRA step goes, of a pack of 2,048 tokens: how long the host takes until it has started all kernels and waits for the card,
 * and what the kernels take one by one. Where these take as long as the step, the card is never idle in it. By a driver that does nothing
 * (`--idle`) it is the host's own time; a card's holds the host up where a thousand kernels are waiting.
 */
export async function stepPart() {
	return {
		smollm2: await stepOf(knownModel('SmolLM2-135M')!),
		// of the forty layers
		fourLayersOf13B: await stepOf({ ...knownModel('WizardCoder-Python-13B')!, layers: 4 }),
	};
}

async function stepOf(model: ModelConfig) {
	const driver = loadDriver();
	const device = createDeviceOf(driver, chooseCard(driver, 0), 'auto');
	const backend = cudaBackendOn(device);
	try {
		const run = adapterRun(model, 'nf4', tokens, false);
		// weights are zeros, which takes the kernels as long
		const detector = createDryDetector(backend, run.model, run.detector);
		const optimizer = createOptimizer(backend, detector.parameters, { weightDecay: 0, clipNorm: 1 });
		const sum = createGradientSum(optimizer, alone);
		const pack = run.packs.trained;
		let steps = 0;
		const step = async () => {
			const losses = startPack(detector, pack, unlabelled(pack), 1, ++steps, run.pass);
			await sum.add();
			losses();
			sum.give();
			optimizer.step(steps, 0);
		};
		for (let i = 0; i < warmUp; i++) await step();
		const times: Record<'seconds' | 'waited', number>[] = [];
		const processor = process.threadCpuUsage();
		for (let i = 0; i < measured; i++) {
			const [start, before] = [performance.now(), device.waitedSeconds];
			await step();
			times.push({
				seconds: (performance.now() - start) / 1000,
				waited: device.waitedSeconds - before,
			});
		}
		const { user, system } = process.threadCpuUsage(processor);
		return {
			stepMilliseconds: 1000 * median(times.map(({ seconds }) => seconds))!,
			hostMilliseconds: 1000 * median(times.map(({ seconds, waited }) => seconds - waited))!,
			// the mean, which work beside it lengthens less; a driver may compute while it waits
			processorMilliseconds: (user + system) / 1000 / measured,
			...(await kernelTimes(device, step)),
		};
	} finally {
		backend.close();
	}
}

/**
 * Of each kernel by itself, by the card's clock, milliseconds of all its launches in a step; the longest first. Each is run several times where
 * the step runs it: what it reads is there.
 */
async function kernelTimes(device: CudaDevice, step: () => Promise<void>) {
	const repeats = 8;
	const { launch } = device;
	const clock = openAheadClock(device);
	const totals = new Map<string, { launches: number; milliseconds: number }>();
	device.launch = (...values) => {
		const milliseconds = clock.milliseconds(() => {
			for (let i = 0; i < repeats; i++) launch(...values);
		});
		const total = totals.get(values[0]) ?? { launches: 0, milliseconds: 0 };
		total.launches += 1;
		total.milliseconds += milliseconds / repeats;
		totals.set(values[0], total);
	};
	try {
		await step();
	} finally {
		device.launch = launch;
		clock.close();
	}
	const kernels = [...totals]
		.map(([name, total]) => ({ name, ...total }))
		.toSorted((a, b) => b.milliseconds - a.milliseconds);
	const sum = (key: 'launches' | 'milliseconds') => kernels.reduce((total, kernel) => total + kernel[key], 0);
	return { launches: sum('launches'), kernelMilliseconds: sum('milliseconds'), kernels };
}
