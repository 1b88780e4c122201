import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Arena, linearCrossEntropy, readPeftAdapter, Tape, upload, uploadTargets } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { createOptimizer, learningRateAt, trainOnPack } from 'vulntune';
import { backendsUnderTest } from '../backends.ts';
import { goldensOf } from '../shared.ts';
import { adaptedDetector, focalPass, type LabelledBatch, packOf } from './detectors.ts';
import { readGolden, readJson } from './golden.ts';
import { expectGradients } from './gradients.ts';
import { type EncoderBatch, flatten, packTensors, segmented } from './packs.ts';

/** Each with a base of a family that is read. */
const cases = goldensOf('training').flatMap(({ set, folder }) =>
	readdirSync(folder).flatMap((family) =>
		backendsUnderTest().map((backend) => ({ ...backend, set, family, folder: path.join(folder, family) })),
	),
);

function unweighted(pack: { functionIndex: Int32Array }, labels: readonly number[]) {
	return { labels: Int32Array.from(labels), weights: new Float32Array(pack.functionIndex.length).fill(1) };
}

/** α and one per class: a single α in the fixtures means [α, 1 − α]. */
function weighted(pack: { functionIndex: Int32Array }, labels: readonly number[], alpha: number[] | null) {
	const weights = Float32Array.from(labels, (label) => alpha?.[label] ?? 1);
	return { ...unweighted(pack, labels), weights };
}

describe.each(cases)('training $family on $name as the $set goldens say', ({ folder, create }) => {
	const batchOf = (json: LabelledBatch | (LabelledBatch & EncoderBatch)): LabelledBatch =>
		'attention_mask' in json ? segmented(json) : json;
	const isDecoder = readJson(folder, 'golden.json').clm !== undefined;
	const baseFolder = () => path.join(folder, '..', '..', readJson(folder, 'golden.json').base_model);
	const isThere = (file: string) => existsSync(path.join(folder, file));

	it('gives the losses and gradients of the focal loss', () => {
		const batch = batchOf(readJson(folder, 'batch.json'));
		const json = readJson(folder, 'golden.json');
		const golden = readGolden(path.join(folder, 'golden.safetensors'));
		const backend = create();
		const { detector, close } = adaptedDetector(backend, baseFolder(), path.join(folder, 'adapter'));
		const pack = packOf(batch);
		for (const { gamma, alpha, per_function, sum } of json.focal) {
			const targets = weighted(pack, batch.labels, alpha);
			const losses = trainOnPack(detector, pack, targets, 1, 0, focalPass(gamma, 'full'));
			// (1 − p)^γ multiplies the relative error of a small loss by up to 1 + γ
			const tolerance = 1e-5 * (1 + gamma);
			// the golden's own float32 rounding of 1 − p, where p is next to 1
			const floor = 1e-6 * Math.max(...per_function);
			for (const [f, loss] of losses.entries()) {
				expect(Math.abs(loss - per_function[f])).toBeLessThan(tolerance * per_function[f] + floor);
			}
			const total = losses.reduce((a, b) => a + b, 0);
			expect(Math.abs(total - sum)).toBeLessThan(1e-5 * sum);
		}
		for (const gradient of ['full', 'detached'] as const) {
			backend.fill(detector.parameters.gradients, 0);
			trainOnPack(detector, pack, unweighted(pack, batch.labels), 1, 0, focalPass(1, gradient));
			expectGradients(backend, detector.parameters, golden, `grad.focal1_sum.${gradient}.`);
			if (gradient === 'full') {
				const norm = Math.sqrt(backend.sumOfSquares(detector.parameters.gradients));
				expect(norm / json.grad_norm_focal1_sum_full).toBeCloseTo(1, 5);
			}
		}
		close();
	});

	it('computes the same gradients with checkpointed blocks', () => {
		const batch = batchOf(readJson(folder, 'batch.json'));
		const golden = readGolden(path.join(folder, 'golden.safetensors'));
		const backend = create();
		const { detector, close } = adaptedDetector(backend, baseFolder(), path.join(folder, 'adapter'));
		const pack = packOf(batch);
		const before = backend.memory().liveBytes;
		const options = { ...focalPass(1, 'full'), checkpointing: true };
		trainOnPack(detector, pack, unweighted(pack, batch.labels), 1, 0, options);
		const peakCheckpointed = backend.memory().peakBytes - before;
		expectGradients(backend, detector.parameters, golden, 'grad.focal1_sum.full.');
		trainOnPack(detector, pack, unweighted(pack, batch.labels), 1, 0, focalPass(1, 'full'));
		expect(peakCheckpointed).toBeLessThan(backend.memory().peakBytes - before);
		close();
	});

	it.each(isDecoder ? ['with_sep', 'without_sep'] : [])(
		'gives the next-token loss and gradients %s',
		(variant) => {
			const batch = batchOf(readJson(folder, 'batch.json'));
			const expected = readJson(folder, 'golden.json').clm[variant];
			const golden = readGolden(path.join(folder, 'golden.safetensors'));
			const backend = create();
			const { detector, close } = adaptedDetector(
				backend,
				baseFolder(),
				path.join(folder, 'adapter'),
				undefined,
				{
					predictsTokens: true,
				},
			);
			const flat = flatten(batch);
			const width = batch.input_ids[0]!.length;
			const labels = (expected.labels_of_position as number[][]).flat();
			const targets = Int32Array.from(flat.kept, (position) => labels[position]!);
			expect(labels.length).toBe(width * batch.input_ids.length);
			const arena = new Arena(backend);
			const tape = new Tape();
			const context = { backend, precision: 'fp32', arena, tape, dropoutSeed: undefined } as const;
			const tensors = packTensors(context, flat.ids, flat.positions, flat.functionStarts);
			const hidden = detector.model.hidden(context, tensors);
			const losses = linearCrossEntropy(
				context,
				hidden,
				detector.model.outputMatrix!,
				uploadTargets(context, targets),
			);
			const sum = Float64Array.from(backend.download(losses)).reduce((a, b) => a + b, 0);
			expect(Math.abs(sum - expected.sum)).toBeLessThan(1e-5 * expected.sum);
			const dLosses = new Float32Array(targets.length).fill(1 / expected.tokens);
			tape.backward(context, losses, upload(context, dLosses));
			expectGradients(backend, detector.parameters, golden, `grad.clm_mean.${variant}.`);
			arena.close();
			close();
		},
	);

	const quantised = [
		['nf4', false],
		['nf4_double', true],
	] as const;
	it.each(isThere('golden_qlora.json') ? quantised : [])(
		'trains on a quantised base: %s',
		(variant, doubleQuantization) => {
			const batch = batchOf(readJson(folder, 'batch.json'));
			const json = readJson(folder, 'golden_qlora.json');
			const golden = readGolden(path.join(folder, 'golden_qlora.safetensors'));
			const backend = create();
			const { detector, close } = adaptedDetector(backend, baseFolder(), path.join(folder, 'adapter'), {
				base: 'nf4',
				doubleQuantization,
			});
			const pack = packOf(batch);
			const losses = trainOnPack(detector, pack, unweighted(pack, batch.labels), 1, 0, focalPass(1, 'full'));
			const total = losses.reduce((a, b) => a + b, 0);
			const expected = json[`${variant}_loss_focal1_sum`];
			expect(Math.abs(total - expected)).toBeLessThan(1e-5 * expected);
			const prefix = [...golden.keys()].find(
				(key) => key.startsWith(variant) && key.includes('head.weight'),
			)!;
			expectGradients(backend, detector.parameters, golden, prefix.slice(0, -'head.weight'.length));
			close();
		},
	);

	it.each(Object.keys(readJson(folder, 'trajectory.json').variants))(
		'follows the golden trajectory: %s',
		(variant) => {
			const trajectory = readJson(folder, 'trajectory.json');
			const { loss, steps } = trajectory.variants[variant];
			const backend = create();
			const { detector, close } = adaptedDetector(backend, baseFolder(), path.join(folder, 'adapter'));
			const optimizer = createOptimizer(backend, detector.parameters, {
				weightDecay: trajectory.optimizer.weight_decay,
				clipNorm: trajectory.max_grad_norm,
			});
			const { accumulation } = trajectory;
			const alpha = typeof loss.alpha === 'number' ? [loss.alpha, 1 - loss.alpha] : loss.alpha;
			for (const [index, expected] of steps.entries()) {
				let sum = 0;
				for (let micro = 0; micro < accumulation; micro++) {
					const batch = batchOf(trajectory.micro_batches[index * accumulation + micro]);
					const pack = packOf(batch);
					const factor = (loss.reduction === 'mean' ? 1 / batch.labels.length : 1) / accumulation;
					const targets = weighted(pack, batch.labels, alpha);
					const pass = focalPass(loss.gamma, loss.gradient);
					const losses = trainOnPack(detector, pack, targets, factor, 0, pass);
					sum += losses.reduce((a, b) => a + b, 0) * factor;
				}
				const learningRate = learningRateAt(index + 1, {
					schedule: 'cosine',
					learningRate: trajectory.optimizer.lr,
					warmupSteps: 1,
					totalSteps: steps.length,
				});
				expect(learningRate).toBeCloseTo(expected.lr, 12);
				const norm = optimizer.step(index + 1, learningRate);
				expect(Math.abs(sum - expected.loss)).toBeLessThan(1e-5 * Math.abs(expected.loss));
				expect(norm / expected.grad_norm_before_clip).toBeCloseTo(1, 4);
			}
			const final = readPeftAdapter(path.join(folder, `final_${variant}`));
			const finalTensors = new Map([...final.matrices, ...final.head]);
			for (const { name } of detector.parameters.specs) {
				const actual = backend.download(detector.parameters.get(name));
				const expected = finalTensors.get(name) ?? finalTensors.get(name.replace(/^\w+\./, ''));
				for (const [i, value] of expected!.values.entries()) {
					expect(Math.abs(actual[i]! - value)).toBeLessThan(5e-6);
				}
			}
			optimizer.free();
			close();
			expect(backend.memory().liveBuffers).toBe(0);
		},
	);

	it.each(isThere('adapter_seqcls') ? ['adapter_seqcls'] : [])(
		'reads the adapter as PEFT saves it for sequence classification: %s',
		(name) => {
			const plain = readPeftAdapter(path.join(folder, 'adapter'));
			const sequence = readPeftAdapter(path.join(folder, name));
			expect(sequence.head).toEqual(plain.head);
			expect(new Map(sequence.matrices)).toEqual(new Map(plain.matrices));
		},
	);
});
