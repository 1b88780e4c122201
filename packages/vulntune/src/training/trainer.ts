import { alone, type Communicator } from './communicator.ts';
import { requireFinite } from './divergence.ts';
import type { AdamWSettings, Optimizer } from './optimizer.ts';
import { learningRateAt, type ScheduleOptions } from './schedule.ts';
import type { RunState } from './state.ts';
import type { Task, TrainerListener } from './task.ts';

export interface TrainerSettings {
	/** Packs per optimiser step. */
	readonly accumulation: number;
	/** Over the steps from `firstStep` on. */
	readonly schedule: ScheduleOptions;
	/** Steps before the schedule begins: those of a finished run that goes on; default 0. */
	readonly stepsBefore?: number;
	readonly checkpointEverySteps: number | null;
}

/** The settings of a trainer that a config has, without what follows from the data. */
export interface OptimizationSettings {
	readonly accumulation: number;
	readonly schedule: Omit<ScheduleOptions, 'totalSteps'>;
	readonly optimizer: AdamWSettings;
	readonly seed: number;
	readonly checkpointEverySteps: number | null;
}

/**
 * Trains from `state` until the task is finished or the listener interrupts. Everything that happens is a function of the state,
 * the task and the settings. With several processes each trains on every size-th pack, counted over the epoch.
 *
 * Throws LOSS_NOT_FINITE, where a loss or a gradient is no number.
 */
export async function train<State extends RunState>(
	task: Task<State>,
	optimizer: Optimizer,
	settings: TrainerSettings,
	state: State,
	listener: TrainerListener,
	communicator: Communicator = alone,
): Promise<'finished' | 'interrupted'> {
	while (true) {
		if (!task.betweenPacks(state)) return interrupt(listener);
		if (task.isFinished(state)) return 'finished';
		if (listener.interrupted()) return interrupt(listener);
		const packs = task.packs(state);
		const { accumulation, checkpointEverySteps } = settings;
		const start = state.packs - (state.packs % accumulation);
		const group = { start, size: Math.min(accumulation, packs - start) };
		if (state.packs % communicator.size === communicator.rank) {
			const { loss, tokens } = task.train(state.packs, group, state);
			state.groupLoss += loss;
			state.groupTokens += tokens;
		}
		state.packs += 1;
		const done = state.packs - start;
		const { epoch, packs: pack, groupTokens: tokens } = state;
		listener.progress({ epoch, pack, packs, tokens, stepShare: done / group.size });
		if (done < group.size) continue;
		await takeStep(optimizer, settings, state, listener, communicator);
		if (checkpointEverySteps !== null && state.step % checkpointEverySteps === 0) listener.checkpoint();
	}
}

function interrupt(listener: TrainerListener): 'interrupted' {
	listener.checkpoint();
	return 'interrupted';
}

/** The one place where the trainer waits: for a device, and for the other processes. */
async function takeStep(
	optimizer: Optimizer,
	{ schedule, stepsBefore = 0 }: TrainerSettings,
	state: RunState,
	listener: TrainerListener,
	communicator: Communicator,
): Promise<void> {
	await communicator.sumVectors(optimizer.backend, optimizer.gradients);
	const loss = await communicator.sum(state.groupLoss);
	const tokens = await communicator.sum(state.groupTokens);
	state.step += 1;
	const learningRate = learningRateAt(state.step - stepsBefore, schedule);
	const gradNorm = optimizer.step(state.step, learningRate);
	requireFinite(gradNorm, 'the gradient is', state);
	const { step, epoch } = state;
	state.groupLoss = 0;
	state.groupTokens = 0;
	listener.record({ type: 'step', step, epoch, loss, gradNorm, learningRate, tokens });
}
