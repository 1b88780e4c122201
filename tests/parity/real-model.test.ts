import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
	Arena,
	cpuFeatures,
	createCpuBackend,
	linear,
	linearCrossEntropy,
	loadModel,
	type Model,
	openModelFolder,
	upload,
	uploadTargets,
} from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { createOptimizer, type Detector, learningRateAt, trainOnPack } from 'vulntune';
import { isNightly } from '../nightly/nightly.ts';
import { needsShared } from '../shared.ts';
import { adaptedDetector, focalPass, type LabelledBatch, packOf } from './detectors.ts';
import { pickRows, readGolden, readJson, relativeDifference } from './golden.ts';
import { type FlatBatch, flatten, packTensors } from './packs.ts';

/** The pretrained model of the fixtures, unpacked once (`node ../shared/models/unpack.mjs`). */
const fixtures = needsShared('fixtures/real');
const json = fixtures.skip ? undefined : readJson(fixtures.path, 'golden.json');
const modelFolder = path.join(os.homedir(), '.cache', 'vulntune-models', json?.base ?? '');
const isAbsent = fixtures.skip || !existsSync(path.join(modelFolder, 'model.safetensors'));
if (!fixtures.skip && isAbsent) {
	console.warn(`skipped: ${modelFolder} is not unpacked (node ../shared/models/unpack.mjs)`);
}
const hasKernels = cpuFeatures().best !== undefined;
if (!hasKernels)
	console.warn('skipped: the native kernels are not built, and the reference backend is too slow');

interface RealPack {
	readonly input_ids: number[];
	readonly segment_ids: number[];
	readonly position_ids: number[];
	readonly pool: number[];
	readonly labels: number[];
}

interface GoldenPack {
	readonly focal1_per_function: number[];
	readonly clm_sum: number;
	readonly clm_sum_without_adapter: number;
}

function batchOf(pack: RealPack): LabelledBatch {
	return {
		input_ids: [pack.input_ids],
		segment_ids: [pack.segment_ids],
		position_ids: [pack.position_ids],
		pool: pack.pool.map((column) => [0, column] as const),
		labels: pack.labels,
	};
}

const gradientTolerance = 1e-4;
const lossTolerance = 1e-4;

// a whole pretrained model takes a minute or two on a slow machine
describe.skipIf(isAbsent || !hasKernels)(
	'a pretrained model on real functions, cpu backend, fp32',
	{ timeout: 600_000 },
	() => {
		const packs: RealPack[] = isAbsent ? [] : readJson(fixtures.path, 'packs.json');
		const golden = isAbsent ? new Map() : readGolden(path.join(fixtures.path, 'golden.safetensors'));
		const open = () => adaptedDetector(createCpuBackend(), modelFolder, path.join(fixtures.path, 'adapter'));

		it('gives the hidden states, logits, losses and gradients', () => {
			const { detector, close } = open();
			const { backend } = detector;
			for (const [index, expected] of (json.packs as GoldenPack[]).entries()) {
				const batch = batchOf(packs[index]!);
				const flat = flatten(batch);
				compareHidden(detector, flat, batch, index, 'last_hidden');
				const sum = nextTokenSum(detector, detector.model, flat);
				expect(sum / expected.clm_sum).toBeCloseTo(1, 5);
				const pack = packOf(batch);
				const labels = Int32Array.from(batch.labels);
				const weights = new Float32Array(labels.length).fill(1);
				backend.fill(detector.parameters.gradients, 0);
				const losses = trainOnPack(detector, pack, { labels, weights }, 1, 0, focalPass(1, 'full'));
				for (const [f, loss] of losses.entries()) {
					const goldenLoss = expected.focal1_per_function[f]!;
					expect(Math.abs(loss - goldenLoss)).toBeLessThan(lossTolerance * Math.max(0.01, goldenLoss));
				}
				if (index === 0) compareGradients(detector);
			}
			close();
		});

		it('gives the states and losses of the base without the adapter', () => {
			const backend = createCpuBackend();
			const folder = openModelFolder(modelFolder);
			const { model, free } = loadModel(backend, folder, {
				base: 'fp32',
				doubleQuantization: false,
				maxPositions: 512,
			});
			const detector = { backend, model } as Detector;
			for (const [index, expected] of (json.packs as GoldenPack[]).entries()) {
				const batch = batchOf(packs[index]!);
				const flat = flatten(batch);
				compareHidden(detector, flat, batch, index, 'base_last_hidden');
				expect(nextTokenSum(detector, model, flat) / expected.clm_sum_without_adapter).toBeCloseTo(1, 5);
			}
			free();
			folder.close();
			backend.close();
		});

		it.runIf(isNightly)('follows five steps of training', () => {
			const { detector, close } = open();
			const { backend, parameters } = detector;
			const { steps } = json.trajectory;
			const peak = Math.max(...steps.map((step: { lr: number }) => step.lr));
			const optimizer = createOptimizer(backend, parameters, { weightDecay: 0.05, clipNorm: 1 });
			for (const [index, expected] of steps.entries()) {
				const size = expected.micro_losses.length;
				for (const [micro, microLoss] of expected.micro_losses.entries()) {
					const batch = batchOf(packs[index * size + micro]!);
					const labels = Int32Array.from(batch.labels);
					const weights = new Float32Array(labels.length).fill(1);
					const losses = trainOnPack(
						detector,
						packOf(batch),
						{ labels, weights },
						1 / size,
						0,
						focalPass(1, 'full'),
					);
					const loss = losses.reduce((a, b) => a + b, 0);
					expect(Math.abs(loss / microLoss - 1)).toBeLessThan(lossTolerance);
				}
				const learningRate = learningRateAt(index + 1, {
					schedule: 'cosine',
					learningRate: peak,
					warmupSteps: 1,
					totalSteps: steps.length,
				});
				expect(learningRate).toBeCloseTo(expected.lr, 9);
				const norm = optimizer.step(index + 1, learningRate);
				expect(Math.abs(norm / expected.grad_norm_before_clip - 1)).toBeLessThan(gradientTolerance);
			}
			for (const { name } of parameters.specs) {
				const final = golden.get(finalName(name));
				if (final === undefined) continue;
				expect(relativeDifference(backend.download(parameters.get(name)), final.values), name).toBeLessThan(
					5e-4,
				);
			}
			optimizer.free();
			close();
		});

		function compareHidden(
			detector: Pick<Detector, 'backend' | 'model'>,
			flat: FlatBatch,
			batch: LabelledBatch,
			index: number,
			name: 'last_hidden' | 'base_last_hidden',
		): void {
			const { backend, model } = detector;
			const arena = new Arena(backend);
			const context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined } as const;
			const tensors = packTensors(context, flat.ids, flat.positions, flat.functionStarts);
			const hidden = backend.download(model.hidden(context, tensors));
			const rows = batch.pool.map(([row, column]) => flat.indexOf(row, column));
			const pooled = pickRows(hidden, model.config.hiddenSize, rows);
			expect(relativeDifference(pooled, golden.get(`pack${index}.${name}`)!.values)).toBeLessThan(2e-5);
			const logits = golden.get(`pack${index}.logits`);
			if (name === 'last_hidden' && 'parameters' in detector && logits?.shape[1] === 2) {
				const weight = (detector as Detector).parameters.get('score.weight');
				const states = upload(context, pooled, [rows.length, model.config.hiddenSize]);
				const actual = backend.download(linear(context, { ...states }, { weight }));
				expect(relativeDifference(actual, logits.values)).toBeLessThan(2e-5);
			}
			arena.close();
		}

		function compareGradients(detector: Detector): void {
			const { backend, parameters } = detector;
			for (const { name } of parameters.specs) {
				const gradient = parameters.get(name).gradient!;
				const expectedNorm = json.grad_norms_focal1_sum[fileName(name)];
				if (expectedNorm !== undefined) {
					const norm = Math.sqrt(backend.sumOfSquares(gradient));
					expect(Math.abs(norm / expectedNorm - 1), `norm of ${name}`).toBeLessThan(gradientTolerance);
				}
				const expected = golden.get(`grad.${fileName(name)}`);
				if (expected === undefined) continue;
				expect(relativeDifference(backend.download(gradient), expected.values), name).toBeLessThan(
					gradientTolerance,
				);
			}
		}
	},
);

function fileName(name: string): string {
	return name === 'score.weight' ? 'head.weight' : `base_model.model.${name}`;
}

function finalName(name: string): string {
	return `final.${fileName(name)}`;
}

/** Next-token loss summed over the predictions inside each function. */
function nextTokenSum(detector: Pick<Detector, 'backend'>, model: Model, flat: FlatBatch): number {
	const { backend } = detector;
	const arena = new Arena(backend);
	const context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined } as const;
	const tensors = packTensors(context, flat.ids, flat.positions, flat.functionStarts);
	const hidden = model.hidden(context, tensors);
	const lastTokens = new Set(Array.from(flat.functionStarts, (start) => start - 1));
	const targets = Int32Array.from(flat.ids, (_, i) => (lastTokens.has(i) ? -100 : flat.ids[i + 1]!));
	const losses = backend.download(
		linearCrossEntropy(context, hidden, model.outputMatrix!, uploadTargets(context, targets)),
	);
	arena.close();
	return Float64Array.from(losses).reduce((a, b) => a + b, 0);
}
