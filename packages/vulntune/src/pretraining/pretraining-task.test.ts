import { createReferenceBackend, createTrainableModel } from '@vulntune/engine';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createOptimizer, type Optimizer } from '../training/optimizer.ts';
import { train as trainTask } from '../training/trainer.ts';
import { modelConfigJson, toModelConfig } from './model-config.ts';
import {
	initialPretrainState,
	type PretrainRecord,
	type PretrainSettings,
	pretrainingTask,
} from './pretraining-task.ts';

const shape = {
	...{ vocabularySize: 257, hiddenSize: 8, intermediateSize: 8, layers: 1, heads: 2, keyValueHeads: 1 },
	...{ maxPositions: 16, ropeTheta: 10_000, tieWordEmbeddings: true, storage: 'fp32' as const },
};
const modelConfig = toModelConfig(
	modelConfigJson({ model: shape }, { bosTokenId: undefined, padTokenId: undefined }, 0),
);
const settings: PretrainSettings = {
	...{ steps: 1, epochs: 1, accumulation: 1, sequenceLength: 16, seed: 1 },
	schedule: { schedule: 'constant', learningRate: 0.1, warmupSteps: 0 },
	optimizer: { weightDecay: 0, clipNorm: null },
	...{ validateEverySteps: null, checkpointEverySteps: 1 },
};
const documents = { train: [Int32Array.of(5, 6, 7)], valid: [Int32Array.of(6, 7)], separator: 0 };

/** Trains a step on one short document; what it recorded and how often it saved come back by the listener's lists. */
function train(change: (optimizer: Optimizer, fillParameters: (value: number) => void) => Optimizer) {
	const backend = createReferenceBackend();
	const { model, parameters, free } = createTrainableModel(backend, modelConfig, 16, 1);
	onTestFinished(free);
	const optimizer = createOptimizer(backend, parameters, settings.optimizer);
	const records: PretrainRecord[] = [];
	let checkpoints = 0;
	const listener = {
		progress: () => {},
		record: (record: PretrainRecord) => void records.push(record),
		validating: () => {},
		checkpoint: () => void (checkpoints += 1),
		interrupted: () => false,
	};
	const pass = { backend, model, precision: 'fp32', checkpointing: false } as const;
	const run = () =>
		trainTask(
			pretrainingTask(pass, documents, settings, listener),
			change(optimizer, (value) => backend.fill(parameters.values, value)),
			{ ...settings, schedule: { ...settings.schedule, totalSteps: 1 } },
			initialPretrainState(),
			listener,
		);
	return { run, records, checkpoints: () => checkpoints };
}

describe('a pretraining', () => {
	it('takes its steps and measures the validation loss', async () => {
		const { run, records } = train((optimizer) => optimizer);
		expect(await run()).toBe('finished');
		expect(records.map(({ type }) => type)).toEqual(['step', 'validation']);
	});

	it('stops where the gradient is no longer a number, before anything is recorded or saved', async () => {
		const { run, records, checkpoints } = train((optimizer) => ({ ...optimizer, step: () => Number.NaN }));
		await expect(run()).rejects.toThrow(/the gradient is no longer a number in epoch 1, step 1/);
		await expect(run()).rejects.toThrow(
			expect.objectContaining({ code: 'LOSS_NOT_FINITE', kind: 'runtime' }),
		);
		expect(records).toEqual([]);
		expect(checkpoints()).toBe(0);
	});

	it('stops where the validation loss is no longer a number', async () => {
		const { run, records } = train((optimizer, fillParameters) => ({
			...optimizer,
			step(...call) {
				const norm = optimizer.step(...call);
				fillParameters(Number.NaN);
				return norm;
			},
		}));
		await expect(run()).rejects.toThrow(/the validation loss is no longer a number in epoch 1, step 1/);
		expect(records.map(({ type }) => type)).toEqual(['step']);
	});

	it('stops where the loss of a sequence is no longer a number', async () => {
		const { run, records } = train((optimizer, fillParameters) => {
			fillParameters(Number.NaN);
			return optimizer;
		});
		await expect(run()).rejects.toThrow(/the loss is no longer a number in epoch 1, step 1/);
		expect(records).toEqual([]);
	});
});
