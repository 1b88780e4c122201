import type { Backend } from '@vulntune/engine';
import { chooseCard } from '@vulntune/engine/backends/cuda/card.ts';
import { createDeviceOf } from '@vulntune/engine/backends/cuda/create-device.ts';
import { cudaBackendOn } from '@vulntune/engine/backends/cuda/cuda.ts';
import type { KernelChoice } from '@vulntune/engine/backends/cuda/device.ts';
import { loadDriver } from '@vulntune/engine/backends/cuda/driver.ts';

/** Which kernels a backend runs: those of an older card, compiled for this one by its driver, or a choice of this card's own. */
export interface Kernels {
	readonly capability?: number;
	readonly choice?: KernelChoice;
}

/** The backend of the first card with these kernels. The PTX for a T4 and a V100 runs on every later card too. */
export function openBackend({ capability, choice = 'auto' }: Kernels): Backend {
	const driver = loadDriver();
	const card = chooseCard(driver, 0);
	return cudaBackendOn(
		createDeviceOf(driver, { ...card, capability: capability ?? card.capability }, choice),
	);
}
