import { type Backend, createParameters, createReferenceBackend } from '@vulntune/engine';
import { expect, it, onTestFinished } from 'vitest';
import type { VectorCommunicator } from '../communication/communicator.ts';
import { together } from '../communication/testing/together.ts';
import type { StepRecord } from '../run/records.ts';
import { createOptimizer } from './optimizer.ts';
import { initialRunState, type RunState } from './state.ts';
import type { Task } from './task.ts';
import { train } from './trainer.ts';

const packsPerEpoch = 5;
const epochs = 2;

interface Numbers {
	readonly accumulation?: number;
	readonly sequencesPerPass?: number;
	readonly stepsBefore?: number;
	readonly gradientOf?: (number: number) => number;
	readonly values?: readonly number[];
	readonly gradients?: readonly number[];
}

/** Trains two parameters on packs whose gradients are their numbers; what comes of it. */
async function trainNumbers(
	{
		accumulation = 2,
		sequencesPerPass = 1,
		stepsBefore = 0,
		gradientOf = (number: number) => number,
		...start
	}: Numbers,
	communicatorOf?: (backend: Backend) => VectorCommunicator,
	interruptAfter = Number.POSITIVE_INFINITY,
	state: RunState = initialRunState(),
) {
	const backend = createReferenceBackend();
	onTestFinished(() => backend.close());
	const parameters = createParameters(backend, [{ name: 'w', shape: [1, 2] }]);
	const optimizer = createOptimizer(backend, parameters, { weightDecay: 0, clipNorm: null });
	if (start.values !== undefined) backend.upload(parameters.values, Float32Array.from(start.values));
	if (start.gradients !== undefined) backend.upload(parameters.gradients, Float32Array.from(start.gradients));
	const trained: number[] = [];
	/** Packs of each pass. */
	const passes: number[] = [];
	const records: StepRecord[] = [];
	/** Share of the next step and its tokens, and the steps that were told of before. */
	const told: (readonly [number, number, number])[] = [];
	let checkpoints = 0;
	const task: Task<RunState> = {
		packs: () => packsPerEpoch,
		isFinished: ({ epoch }) => epoch > epochs,
		train(pack, group, { epoch }, count) {
			const first = (epoch - 1) * packsPerEpoch + pack + 1;
			const numbers = Array.from({ length: count }, (_, i) => first + i);
			trained.push(...numbers);
			passes.push(count);
			const view = parameters.get('w').gradient!;
			const gradient = [...backend.download(view)].map((value, i) =>
				numbers.reduce((sum, number) => sum + (i + 1) * gradientOf(number), value),
			);
			backend.upload(view, Float32Array.from(gradient));
			const sum = numbers.reduce((total, number) => total + number, 0);
			return { loss: () => sum / group.size, tokens: 10 * count };
		},
		betweenPacks(state) {
			if (state.packs < packsPerEpoch) return true;
			state.epoch += 1;
			state.packs = 0;
			return true;
		},
	};
	const outcome = await train(
		task,
		optimizer,
		{
			accumulation,
			sequencesPerPass,
			schedule: { schedule: 'linear', learningRate: 1, warmupSteps: 0, totalSteps: 6 },
			stepsBefore,
			checkpointEverySteps: 2,
		},
		state,
		{
			progress: ({ stepShare, tokens }) => void told.push([stepShare, tokens, records.length]),
			record: (record) => void records.push(record),
			checkpoint: () => void (checkpoints += 1),
			interrupted: () => trained.length >= interruptAfter,
		},
		communicatorOf?.(backend),
	);
	return {
		outcome,
		trained,
		passes,
		records,
		told,
		checkpoints,
		state,
		values: [...backend.download(parameters.values)],
		gradients: [...backend.download(parameters.gradients)],
	};
}

it('takes a step after as many packs as are asked for, or at the end of an epoch', async () => {
	const { outcome, trained, records, told, checkpoints } = await trainNumbers({});
	expect(outcome).toBe('finished');
	expect(trained).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
	expect(records.map(({ step, epoch, loss, tokens }) => [step, epoch, loss, tokens])).toEqual([
		[1, 1, 1.5, 20],
		[2, 1, 3.5, 20],
		[3, 1, 5, 10],
		[4, 2, 6.5, 20],
		[5, 2, 8.5, 20],
		[6, 2, 10, 10],
	]);
	expect(records.map(({ learningRate }) => learningRate)).toEqual(
		[1, 5 / 6, 4 / 6, 0.5, 2 / 6, 1 / 6].map((rate) => expect.closeTo(rate, 12)),
	);
	// whoever shows the last pack has the loss of the step that it ends
	expect(told).toEqual([
		...[
			[0.5, 10, 0],
			[0, 0, 1],
			[0.5, 10, 1],
			[0, 0, 2],
			[0, 0, 3],
		],
		...[
			[0.5, 10, 3],
			[0, 0, 4],
			[0.5, 10, 4],
			[0, 0, 5],
			[0, 0, 6],
		],
	]);
	expect(checkpoints).toBe(3);
});

it('begins its schedule after the steps of an earlier run', async () => {
	const { records } = await trainNumbers({ stepsBefore: 3 }, undefined, undefined, {
		...initialRunState(),
		step: 3,
	});
	expect(records.map(({ step }) => step)).toEqual([4, 5, 6, 7, 8, 9]);
	expect(records[0]!.learningRate).toBe(1);
});

it('takes several packs in a pass, fewer where a step has no more', async () => {
	const single = await trainNumbers({ accumulation: 3 });
	const { passes, trained, records } = await trainNumbers({ accumulation: 3, sequencesPerPass: 2 });
	expect(passes).toEqual([2, 1, 2, 2, 1, 2]);
	expect(trained).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
	expect(records).toEqual(single.records);
	const two = await Promise.all(
		together(2).map((of) => trainNumbers({ accumulation: 3, sequencesPerPass: 2 }, of)),
	);
	expect(two.map((process) => process.trained)).toEqual([
		[1, 2, 4, 5, 6, 7, 9, 10],
		[3, 8],
	]);
	expect(two.map((process) => process.passes)).toEqual([
		[2, 2, 2, 2],
		[1, 1],
	]);
	for (const process of two) expect(process.records).toEqual(records);
});

it('tells what share of a step is done where its last pass is short', async () => {
	const { told } = await trainNumbers({ accumulation: 4, sequencesPerPass: 2 });
	const { told: short } = await trainNumbers({ accumulation: 5, sequencesPerPass: 2 });
	expect(told.slice(0, 3).map(([share]) => share)).toEqual([0.5, 0, 0]);
	expect(short.slice(0, 3).map(([share]) => share)).toEqual([2 / 5, 4 / 5, 0]);
	// an epoch of five packs ends with a step of two, in two passes
	const { told: last } = await trainNumbers({ accumulation: 3 });
	expect(last.slice(3, 5).map(([share]) => share)).toEqual([1 / 2, 0]);
});

it('goes on with the same passes where it was interrupted in a step', async () => {
	const { state } = await trainNumbers({ accumulation: 5, sequencesPerPass: 2 }, undefined, 2);
	expect(state).toMatchObject({ packs: 2, step: 0 });
	const rest = await trainNumbers({ accumulation: 5, sequencesPerPass: 2 }, undefined, undefined, state);
	expect(rest.passes).toEqual([2, 1, 2, 2, 1]);
});

it('saves where it is interrupted, in the middle of a step too', async () => {
	const { outcome, checkpoints, state } = await trainNumbers({}, undefined, 3);
	expect([outcome, checkpoints]).toEqual(['interrupted', 1]);
	expect(state).toMatchObject({ packs: 3, step: 1, groupLoss: 1.5, groupTokens: 10 });
});

it('deals packs to processes in rounds, each of which takes the step of all', async () => {
	const one = await trainNumbers({ accumulation: 3 });
	const two = await Promise.all(together(2).map((of) => trainNumbers({ accumulation: 3 }, of)));
	expect(two.map(({ trained }) => trained)).toEqual([
		[1, 3, 4, 6, 8, 9],
		[2, 5, 7, 10],
	]);
	for (const { records, values } of two) {
		expect(records).toEqual(one.records);
		expect(values).toEqual(one.values);
	}
});

it('adds whole gradients up, in the order of their packs, whichever process they come from', async () => {
	// in float32 (a + b) + c is not a + (b + c) of these, so that another order or a partial sum shows
	const gradientOf = (number: number) => [2 ** 24, 1, 1, -(2 ** 24), 3, 2 ** 23, 1, 0.5, 0.5, 7][number - 1]!;
	const one = await trainNumbers({ accumulation: 5, gradientOf });
	for (const size of [2, 3, 4]) {
		const several = await Promise.all(
			together(size).map((of) => trainNumbers({ accumulation: 5, gradientOf }, of)),
		);
		for (const { records, values } of several) {
			expect(records).toEqual(one.records);
			expect(values).toEqual(one.values);
		}
	}
});

it('stops in all processes where one is interrupted, with what one process would keep', async () => {
	const one = await trainNumbers({ accumulation: 4 }, undefined, 2);
	const two = await Promise.all(
		together(2).map((of, rank) =>
			trainNumbers({ accumulation: 4 }, of, rank === 1 ? 1 : Number.POSITIVE_INFINITY),
		),
	);
	for (const { outcome, checkpoints, state, gradients } of two) {
		expect([outcome, checkpoints]).toEqual(['interrupted', 1]);
		expect(state).toEqual(one.state);
		expect(gradients).toEqual(one.gradients);
	}
	expect(one.gradients).not.toEqual([0, 0]);
});

it('goes on in the middle of a step with any number of processes', async () => {
	const whole = await trainNumbers({ accumulation: 4 });
	for (const size of [1, 2, 3]) {
		const { state, values, gradients } = await trainNumbers({ accumulation: 4 }, undefined, 7);
		const rest = await Promise.all(
			together(size).map((of) =>
				trainNumbers({ accumulation: 4, values, gradients }, of, undefined, structuredClone(state)),
			),
		);
		// the moments are not kept here: only what the sum is made of shows
		expect(rest[0]!.records[0]).toMatchObject({ gradNorm: whole.records[2]!.gradNorm });
		for (const other of rest) expect(other.values).toEqual(rest[0]!.values);
	}
});
