import type { Backend, View } from '@vulntune/engine';

/**
 * How the processes of one run work together. Every one of them computes its share of the packs and takes the step of all; the
 * first alone writes. All call the same methods in the same order.
 */
export interface Communicator {
	/** Which process this is, counted from 0. */
	readonly rank: number;
	/** How many there are. */
	readonly size: number;
	/**
	 * What every process says, in the order of their ranks. Messages are JSON, numbers that are none included.
	 *
	 * Throws PeerFailure where another process says that it failed.
	 */
	gather<Message>(message: Message): Promise<readonly Message[]>;
}

/** Processes before they have a backend. */
export interface Processes extends Communicator {
	/** Which process of its machine this is, counted from 0, where the launcher says so. */
	readonly localRank: number | undefined;
	/** The same processes, which can exchange vectors in the memory of this backend. */
	withVectors(backend: Backend): Promise<VectorCommunicator>;
}

/**
 * Exchanges f32 vectors of equal length, cut into as many stretches as there are processes: one for each of them to add up.
 */
export interface VectorCommunicator extends Communicator {
	/** By what vectors go from process to process, for people; undefined in a run of one process. */
	readonly description: string | undefined;
	/** The part of a vector that this process adds up. */
	stretch(vector: View): View;
	/** This process's stretch of every process's vector, in the order of their ranks. Valid until the next call. */
	collect(vector: View): Promise<readonly View[]>;
	/** Gives every process's stretch to all, which then have the whole vector. */
	spread(vector: View): Promise<void>;
	/** Gives the first process's vector, of any type, to all. */
	broadcast(vector: View): Promise<void>;
	/** Gives back what it holds of the backend. */
	close(): void;
}

/** A run of one process. */
export const alone: Processes & VectorCommunicator = {
	rank: 0,
	size: 1,
	localRank: undefined,
	description: undefined,
	gather: async (message) => [message],
	withVectors: async () => alone,
	stretch: (vector) => vector,
	collect: async (vector) => [vector],
	spread: async () => {},
	broadcast: async () => {},
	close: () => {},
};
