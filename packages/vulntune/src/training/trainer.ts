import type { Pending } from '@vulntune/engine';
import { alone, type VectorCommunicator } from '../communication/communicator.ts';
import { requireFinite } from './divergence.ts';
import { createGradientSum } from './gradient-sum.ts';
import type { AdamWSettings, Optimizer } from './optimizer.ts';
import { learningRateAt, type ScheduleOptions } from './schedule.ts';
import type { RunState } from './state.ts';
import type { Task, TrainerListener } from './task.ts';

export interface TrainerSettings {
	/** Packs per optimiser step. */
	readonly accumulation: number;
	/** Of these, how many go through the model at once; default 1. */
	readonly sequencesPerPass?: number;
	/** Over the steps from `firstStep` on. */
	readonly schedule: ScheduleOptions;
	/** Steps before the schedule begins: those of a finished run that goes on; default 0. */
	readonly stepsBefore?: number;
	readonly checkpointEverySteps: number | null;
}

/** The settings of a trainer that a config has, without what follows from the data. */
export interface OptimizationSettings {
	readonly accumulation: number;
	readonly sequencesPerPass?: number;
	readonly schedule: Omit<ScheduleOptions, 'totalSteps'>;
	readonly optimizer: AdamWSettings;
	readonly seed: number;
	readonly checkpointEverySteps: number | null;
}

/**
 * Trains from `state` until the task is finished or the listener interrupts. Everything that happens is a function of the state,
 * the task and the settings. Several processes train in rounds, each on the packs of one pass: their gradients and losses add up in the
 * order of the packs, so that the bytes are those of one process.
 *
 * Throws LOSS_NOT_FINITE where a loss or a gradient is NaN or infinite.
 */
export async function train<State extends RunState>(
	task: Task<State>,
	optimizer: Optimizer,
	settings: TrainerSettings,
	state: State,
	listener: TrainerListener,
	communicator: VectorCommunicator = alone,
): Promise<'finished' | 'interrupted'> {
	const { rank, size } = communicator;
	const { accumulation, sequencesPerPass = 1, checkpointEverySteps } = settings;
	const sum = createGradientSum(optimizer, communicator);
	/** Of this process's passes, those that it hasn't waited for. */
	let unread: Pending<number>[] = [];
	/** Adds the losses of all passes since the last time in the order of the packs. */
	const readLosses = async () => {
		const own = unread.map((loss) => loss());
		unread = [];
		const ofProcesses = await communicator.gather(own);
		// a round has a pass of each process; the first has one in each round
		for (const round of ofProcesses[0]!.keys()) {
			for (const losses of ofProcesses) state.groupLoss += losses[round] ?? 0;
		}
	};
	const interrupt = async () => {
		await readLosses();
		sum.give();
		listener.checkpoint();
		return 'interrupted' as const;
	};
	try {
		while (true) {
			if (!(await task.betweenPacks(state))) return await interrupt();
			if (task.isFinished(state)) return 'finished';
			if ((await communicator.gather(listener.interrupted())).includes(true)) return await interrupt();
			const packs = task.packs(state);
			const start = state.packs - (state.packs % accumulation);
			const group = { start, size: Math.min(accumulation, packs - start) };
			const end = start + group.size;
			const round = Math.min(size * sequencesPerPass, end - state.packs);
			const first = state.packs + rank * sequencesPerPass;
			const count = Math.min(sequencesPerPass, end - first);
			const own = count > 0 ? [task.train(first, group, state, count)] : [];
			unread.push(...own.map(({ loss }) => loss));
			for (const tokens of (await communicator.gather(own.map((pack) => pack.tokens))).flat()) {
				state.groupTokens += tokens;
			}
			await sum.add();
			state.packs += round;
			const done = state.packs - start;
			const isStep = done === group.size;
			if (isStep) {
				// what a step waits for: here, and for the norm of its gradients
				await readLosses();
				sum.give();
				takeStep(optimizer, settings, state, listener);
			}
			const { epoch, packs: pack, groupTokens: tokens } = state;
			listener.progress({ epoch, pack, packs, tokens, stepShare: isStep ? 0 : done / group.size });
			if (!isStep) continue;
			if (checkpointEverySteps !== null && state.step % checkpointEverySteps === 0) listener.checkpoint();
		}
	} finally {
		sum.free();
	}
}

function takeStep(
	optimizer: Optimizer,
	{ schedule, stepsBefore = 0 }: TrainerSettings,
	state: RunState,
	listener: TrainerListener,
): void {
	state.step += 1;
	const learningRate = learningRateAt(state.step - stepsBefore, schedule);
	const gradNorm = optimizer.step(state.step, learningRate);
	requireFinite(gradNorm, 'the gradient is', state);
	const { step, epoch, groupLoss: loss, groupTokens: tokens } = state;
	state.groupLoss = 0;
	state.groupTokens = 0;
	listener.record({ type: 'step', step, epoch, loss, gradNorm, learningRate, tokens });
}
