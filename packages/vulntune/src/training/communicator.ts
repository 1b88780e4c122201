import type { Backend, View } from '@vulntune/engine';

/**
 * How the processes of one run add up what each has computed. Every one of them trains on its share of each step's packs and takes
 * the step of all; the first alone writes.
 */
export interface Communicator {
	/** Which process this is, counted from 0. */
	readonly rank: number;
	/** How many there are. */
	readonly size: number;
	/** Adds the f32 vectors of all processes up in the order of their ranks; each then holds the sum. */
	sumVectors(backend: Backend, vector: View): Promise<void>;
	/** The sum of a number over all processes, in the order of their ranks. */
	sum(value: number): Promise<number>;
}

/** A run of one process. */
export const alone: Communicator = {
	rank: 0,
	size: 1,
	sumVectors: async () => {},
	sum: async (value) => value,
};
