import { type CardSearch, capabilityText } from '@vulntune/engine';
import { type ModelFit, whatFits } from '../training/what-fits.ts';

/** An NVIDIA card, as its driver describes it. */
export interface Gpu {
	/** Its number: `backend.device`. */
	readonly ordinal: number;
	readonly name: string;
	readonly memoryBytes: number;
	/** What no process holds; null where the driver doesn't say. */
	readonly freeBytes: number | null;
	/** Compute capability, `8.0`. */
	readonly capability: string;
	/** The CUDA version that the driver is made for, `12.4`. */
	readonly driver: string;
	/** Why it can't run the kernels; null where it can. */
	readonly unusable: string | null;
	/** What would fit into its free memory; none on a card that can't be used. */
	readonly fits: readonly ModelFit[];
}

/** The cards of a machine and what would fit there. */
export function describeGpus({ cards }: CardSearch): Gpu[] {
	return cards.map((card) => {
		const { ordinal, name, memoryBytes, freeBytes, capability, driver, unusable } = card;
		return {
			...{ ordinal, name, memoryBytes, freeBytes: freeBytes ?? null },
			...{ capability: capabilityText(capability), driver, unusable: unusable ?? null },
			fits: unusable === undefined ? whatFits(freeBytes ?? memoryBytes, card) : [],
		};
	});
}
