import type { CudaDevice } from '@vulntune/engine/backends/cuda/device.ts';

/** The median time of what `run` enqueues, by the card's own events. */
export function millisecondsOf(device: CudaDevice, run: () => void, repeats = 15): number {
	const { driver, stream } = device;
	const [start, end] = [0, 1].map(() => {
		const made: [unknown] = [undefined];
		driver.cuEventCreate(made, 0);
		return made[0];
	});
	for (let i = 0; i < 3; i++) run();
	const times = Array.from({ length: repeats }, () => {
		driver.cuEventRecord(start, stream);
		run();
		driver.cuEventRecord(end, stream);
		driver.cuEventSynchronize(end);
		const elapsed: [number] = [0];
		driver.cuEventElapsedTime(elapsed, start, end);
		return elapsed[0];
	});
	for (const event of [start, end]) driver.cuEventDestroy_v2(event);
	return times.sort((a, b) => a - b)[repeats >> 1]!;
}
