import {
	add,
	focalOfNegLogP,
	gatherRows,
	hashStream,
	linearCrossEntropy,
	normalArray,
	openModelFolder,
	outputMatrixOf,
	type Tensor,
	uniform,
	upload,
	uploadIndices,
	uploadTargets,
} from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { backendsUnderTest } from '../../../../tests/backends.ts';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { answerBranches } from '../methods/answers.ts';
import { createDetector, type Detector } from '../methods/detector.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { type PassOptions, scorePack, trainOnPack } from '../scoring/micro-batch.ts';
import { assemblePack, splitData } from '../scoring/split-data.ts';
import { hiddenStates } from './hidden-states.ts';
import { nextTokenObjective } from './next-token-objective.ts';
import type { Objective } from './objective.ts';

const model = writeTinyModel(temporaryFolder());
const answers = { question: [5, 6], yes: [9, 12, 40], no: [7, 13] };
const lengths = [11, 3, 7, 1];
const tokens = lengths.map((length, i) =>
	Int32Array.from({ length }, (_, t) => 3 + Math.floor(290 * uniform(3, hashStream(`function ${i}`), t))),
);
const rows = lengths.map((_, i) => ({ id: String(i), code: '', label: (i % 2) as 0 | 1 }));
const data = splitData(rows, tokens, { alpha: null, classWeights: [1, 2.5], statusWeights: null });
const pass = (objective: Objective): PassOptions => ({
	objective,
	precision: 'fp32',
	focal: { gamma: 2, gradient: 'full' },
	checkpointing: false,
});

/** Losses, probabilities and gradients of all functions, each pack given with the number of tokens behind its functions. */
function compute(detector: Detector, objective: Objective, alone: boolean) {
	const { backend, parameters } = detector;
	backend.fill(parameters.gradients, 0);
	const branches = alone ? [] : answerBranches(answers);
	const suffix = alone ? [] : answers.question;
	const { packs } = packFunctions(data.lengths, {
		length: 64,
		packing: alone ? 'none' : 'isolated',
		order: 'arrival',
		maxFunctions: 200,
		largeFunctions: 'ignore',
		suffixLength: suffix.length + branches.flat().length,
	});
	expect(packs).toHaveLength(alone ? 4 : 1);
	const losses: number[] = [];
	const probabilities: number[] = [];
	for (const pieces of packs) {
		const { pack, targets } = assemblePack(data, pieces, 'isolated', {
			leading: [],
			separator: 0,
			suffix,
			branches,
		});
		losses.push(...trainOnPack(detector, pack, targets, 0.5, 0, pass(objective)));
		probabilities.push(...scorePack(detector, pack, pass(objective)).probabilities);
	}
	return { losses, probabilities, gradients: Array.from(backend.download(parameters.gradients)) };
}

/** The slow, obvious one: each function with its question and one answer is a text of its own, and the losses of its tokens are added. */
const plainly: Objective = (context, detector, pack) => {
	const own = Array.from(pack.inputIds).slice(0, -1);
	const negLogPOf = (answer: readonly number[]): Tensor => {
		const ids = Int32Array.from([...own, ...answers.question, ...answer]);
		const text = {
			...pack,
			inputIds: ids,
			positionIds: ids.map((_, i) => i),
			segmentStarts: Int32Array.of(0, ids.length),
		};
		const hidden = hiddenStates(context, detector, text, false); // [T, H]
		const first = ids.length - answer.length;
		return answer
			.map((token, i) => {
				const said = gatherRows(context, hidden, uploadIndices(context, Int32Array.of(first + i - 1))); // [1, H]
				const target = uploadTargets(context, Int32Array.of(token));
				return linearCrossEntropy(context, said, outputMatrixOf(detector.model), target); // [1]
			})
			.reduce((sum, loss) => add(context, sum, loss));
	};
	const [no, yes] = [negLogPOf(answers.no), negLogPOf(answers.yes)];
	return {
		losses({ labels, weights }, focal) {
			const right = labels[0] === 1 ? yes : no;
			return focalOfNegLogP(context, right, upload(context, weights), focal); // [1]
		},
		probabilities() {
			const p = [no, yes].map((each) => Math.exp(-context.backend.download(each)[0]!));
			return () => Float32Array.of(p[1]! / (p[0]! + p[1]!));
		},
	};
};

describe.each(backendsUnderTest())('answers of several tokens on $name', ({ create }) => {
	it('are scored whole, as if each were all that follows its function', () => {
		const backend = create();
		const folder = openModelFolder(model);
		const detector = createDetector(backend, folder, {
			method: {
				type: 'lora',
				lora: { rank: 2, alpha: 4, dropout: 0, targets: 'all-linear', rsLora: false },
			},
			base: 'fp32',
			doubleQuantization: false,
			head: undefined,
			maxPositions: 64,
			seed: 1,
			start: undefined,
		});
		const { values } = detector.parameters;
		backend.upload(values, normalArray(4, hashStream('adapter'), values.shape[0]!, 0.2));
		const found = compute(detector, nextTokenObjective(answers), false);
		const expected = compute(detector, plainly, true);
		for (const [f, loss] of expected.losses.entries()) expect(found.losses[f]! / loss).toBeCloseTo(1, 4);
		for (const [f, p] of expected.probabilities.entries()) expect(found.probabilities[f]).toBeCloseTo(p, 4);
		const largest = Math.max(...expected.gradients.map(Math.abs));
		expect(largest).toBeGreaterThan(0.01);
		for (const [i, gradient] of expected.gradients.entries()) {
			expect(Math.abs(found.gradients[i]! - gradient)).toBeLessThan(1e-4 * largest);
		}
		detector.free();
		folder.close();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});
});
