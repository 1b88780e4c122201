import type { CudaDevice } from '@vulntune/engine/backends/cuda/device.ts';

/** Times by the card's own events. */
interface Clock {
	/** Of what `run` enqueues. */
	milliseconds(run: () => void): number;
	close(): void;
}

/** @param before what the card does while `run` is enqueued */
function openClock({ driver, stream }: CudaDevice, before: () => void = () => {}): Clock {
	const events = [0, 1].map(() => {
		const made: [unknown] = [undefined];
		driver.cuEventCreate(made, 0);
		return made[0];
	});
	const [start, end] = events;
	return {
		milliseconds(run) {
			before();
			driver.cuEventRecord(start, stream);
			run();
			driver.cuEventRecord(end, stream);
			driver.cuEventSynchronize(end);
			const elapsed: [number] = [0];
			driver.cuEventElapsedTime(elapsed, start, end);
			return elapsed[0];
		},
		close() {
			for (const event of events) driver.cuEventDestroy_v2(event);
		},
	};
}

/** The median time of what `run` enqueues, by the card's own events. */
export function millisecondsOf(device: CudaDevice, run: () => void, repeats = 15): number {
	const clock = openClock(device);
	for (let i = 0; i < 3; i++) run();
	const times = Array.from({ length: repeats }, () => clock.milliseconds(run));
	clock.close();
	return times.sort((a, b) => a - b)[repeats >> 1]!;
}

/** What a card fills while the host gets ahead of it: for 50 µs at least. */
const filledBytes = 256 * 2 ** 20;

/** A clock in whose times it isn't how long the host takes to enqueue a few launches. */
export function openAheadClock(device: CudaDevice): Clock {
	const { driver, pool, stream } = device;
	const filled = pool.take(filledBytes);
	const clock = openClock(device, () => driver.cuMemsetD32Async(filled, 0, filledBytes / 4, stream));
	return {
		milliseconds: clock.milliseconds,
		close() {
			clock.close();
			pool.give(filled, filledBytes);
		},
	};
}
