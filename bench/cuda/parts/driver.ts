import { listCards } from '@vulntune/engine/backends/cuda/card.ts';
import { createDevice } from '@vulntune/engine/backends/cuda/create-device.ts';
import { loadDriver } from '@vulntune/engine/backends/cuda/driver.ts';

/** The cards and the driver, and how long it takes until the first has its kernels (compiled anew or from the driver's cache). */
export function driverPart() {
	const cards = listCards(loadDriver());
	const open = () => {
		const start = performance.now();
		const device = createDevice(0);
		device.staging.finish();
		const free: [number] = [0];
		device.driver.cuMemGetInfo_v2(free, [0]);
		const seconds = (performance.now() - start) / 1000;
		device.close();
		return { seconds, freeBytes: Number(free[0]) };
	};
	const [first, again] = [open(), open()];
	return {
		cards,
		firstOpenSeconds: first.seconds,
		openAgainSeconds: again.seconds,
		freeBytes: again.freeBytes,
	};
}
