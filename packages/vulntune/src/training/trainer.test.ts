import { createParameters, createReferenceBackend, type View, viewOf } from '@vulntune/engine';
import { expect, it, onTestFinished } from 'vitest';
import type { StepRecord } from '../run/records.ts';
import type { Communicator } from './communicator.ts';
import { createOptimizer } from './optimizer.ts';
import { initialRunState, type RunState } from './state.ts';
import type { Task } from './task.ts';
import { train } from './trainer.ts';

const packsPerEpoch = 5;
const epochs = 2;

/** Trains two parameters on packs whose gradients are their numbers; what comes of it. */
async function trainNumbers(
	{ accumulation = 2, stepsBefore = 0 },
	communicator?: Communicator,
	interruptAfter = Number.POSITIVE_INFINITY,
	state: RunState = initialRunState(),
) {
	const backend = createReferenceBackend();
	onTestFinished(() => backend.close());
	const parameters = createParameters(backend, [{ name: 'w', shape: [1, 2] }]);
	const optimizer = createOptimizer(backend, parameters, { weightDecay: 0, clipNorm: null });
	const trained: number[] = [];
	const records: StepRecord[] = [];
	const shares: number[] = [];
	let checkpoints = 0;
	const task: Task<RunState> = {
		packs: () => packsPerEpoch,
		isFinished: ({ epoch }) => epoch > epochs,
		train(pack, group, { epoch }) {
			const number = (epoch - 1) * packsPerEpoch + pack + 1;
			trained.push(number);
			const view = parameters.get('w').gradient!;
			const gradient = [...backend.download(view)].map((value, i) => value + (i + 1) * number);
			backend.upload(view, Float32Array.from(gradient));
			return { loss: number / group.size, tokens: 10 };
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
			schedule: { schedule: 'linear', learningRate: 1, warmupSteps: 0, totalSteps: 6 },
			stepsBefore,
			checkpointEverySteps: 2,
		},
		state,
		{
			progress: ({ stepShare }) => void shares.push(stepShare),
			record: (record) => void records.push(record),
			checkpoint: () => void (checkpoints += 1),
			interrupted: () => trained.length >= interruptAfter,
		},
		communicator,
	);
	return {
		outcome,
		trained,
		records,
		shares,
		checkpoints,
		state,
		values: [...backend.download(parameters.values)],
	};
}

/** Communicators of processes that are parts of this one: a sum is there when the last of them has asked for it. */
function together(size: number): readonly Communicator[] {
	let waiting: { value: Float32Array; done: (sum: Float32Array) => void }[] = [];
	const sumOf = (rank: number, value: Float32Array) =>
		new Promise<Float32Array>((done) => {
			waiting[rank] = { value, done };
			if (waiting.filter((one) => one !== undefined).length < size) return;
			const all = waiting;
			waiting = [];
			const sum = all[0]!.value.map((_, i) => all.reduce((total, { value }) => total + value[i]!, 0));
			for (const { done } of all) done(sum);
		});
	return Array.from({ length: size }, (_, rank) => ({
		rank,
		size,
		async sumVectors(backend, vector: View) {
			const sum = await sumOf(rank, Float32Array.from(backend.download(vector)));
			backend.upload(viewOf(vector.buffer, vector.shape, vector.offset), sum);
		},
		sum: async (value) => (await sumOf(rank, Float32Array.of(value)))[0]!,
	}));
}

it('takes a step after as many packs as are asked for, or at the end of an epoch', async () => {
	const { outcome, trained, records, shares, checkpoints } = await trainNumbers({});
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
	expect(shares).toEqual([0.5, 1, 0.5, 1, 1, 0.5, 1, 0.5, 1, 1]);
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

it('saves where it is interrupted, in the middle of a step too', async () => {
	const { outcome, checkpoints, state } = await trainNumbers({}, undefined, 3);
	expect([outcome, checkpoints]).toEqual(['interrupted', 1]);
	expect(state).toMatchObject({ packs: 3, step: 1, groupLoss: 1.5, groupTokens: 10 });
});

it('deals packs to processes, each of which takes the step of all', async () => {
	const one = await trainNumbers({});
	const two = await Promise.all(together(2).map((communicator) => trainNumbers({}, communicator)));
	expect(two.map(({ trained }) => trained)).toEqual([
		[1, 3, 5, 6, 8, 10],
		[2, 4, 7, 9],
	]);
	for (const { records, values } of two) {
		expect(records).toEqual(one.records);
		expect(values).toEqual(one.values);
	}
});
