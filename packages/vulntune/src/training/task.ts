import type { Pending } from '@vulntune/engine';
import type { StepRecord } from '../run/records.ts';
import type { RunState } from './state.ts';

/** Which packs of an epoch go into one optimiser step. */
export interface StepGroup {
	/** Index of the first pack in its epoch. */
	readonly start: number;
	readonly size: number;
}

/** What a pass over packs came to. */
export interface TrainedPack {
	/** What they add to the step's loss, on its way to the host. */
	readonly loss: Pending<number>;
	readonly tokens: number;
}

/** What is trained: the trainer knows packs by their number only. */
export interface Task<State extends RunState> {
	/** Packs of the state's epoch. */
	packs(state: State): number;
	/** Adds the gradients of a pack, or of `count` of them from there on in one pass, to those that there are, or enqueues that. */
	train(pack: number, group: StepGroup, state: State, count: number): TrainedPack;
	/**
	 * Called before every pack and after the last step: validates where that is due and moves the state to the next epoch where
	 * this one is done. False where the listener interrupted it, with the state unchanged.
	 */
	betweenPacks(state: State): boolean | Promise<boolean>;
	isFinished(state: State): boolean;
}

/** What the trainer tells whoever keeps, shows or stores it. */
export interface TrainerListener {
	/** After every pack, or once a card has been given it, and after the step that it completes; with several processes after every round of them. */
	progress(done: PackProgress): void;
	record(record: StepRecord): void;
	/** Time to make the state durable. */
	checkpoint(): void;
	/** Asked between packs; with several processes each is asked for itself. */
	interrupted(): boolean;
}

export interface PackProgress {
	readonly epoch: number;
	/** Packs of the epoch that are done, and all. */
	readonly pack: number;
	readonly packs: number;
	/** Of the step that is not taken yet; 0 after a step. */
	readonly tokens: number;
	/** Share of that step's packs that are done; 0 after a step. */
	readonly stepShare: number;
}
