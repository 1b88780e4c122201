import {
	createParameters,
	createReferenceBackend,
	focalLoss,
	gatherRows,
	type Model,
	upload,
	uploadIndices,
} from '@vulntune/engine';
import type { Detector } from '../../methods/detector.ts';
import type { Objective } from '../../objectives/objective.ts';
import type { PackingOptions } from '../../packing/options.ts';
import type { ScoringOptions } from '../score-split.ts';
import { type SplitData, splitData } from '../split-data.ts';

/** Probability of being vulnerable that is given for a piece, besides what is learnt. */
export type Script = (piece: {
	readonly functionIndex: number;
	readonly windowIndex: number;
	/** Which sequence of those that were scored this is in, counted from 0. */
	readonly pass: number;
}) => number;

/**
 * A detector without a model: two logits are all that it learns, and scores come from a script. For tests of what is done with
 * losses, gradients and scores.
 */
export function scriptedDetector(script: Script = () => 0.5) {
	const backend = createReferenceBackend();
	const parameters = createParameters(backend, [{ name: 'logits', shape: [1, 2] }]);
	backend.fill(parameters.values, 0);
	const dropoutSeeds: number[] = [];
	let passes = 0;
	const objective: Objective = (context, _detector, pack) => {
		const functions = pack.functionIndex.length;
		return {
			losses({ labels, weights }, focal) {
				if (context.tape !== undefined) dropoutSeeds.push(context.dropoutSeed!);
				const rows = uploadIndices(context, new Int32Array(functions));
				const logits = gatherRows(context, parameters.get('logits'), rows); // [F, 2]
				const classes = uploadIndices(context, labels);
				return focalLoss(context, logits, classes, upload(context, weights), focal).losses;
			},
			probabilities() {
				const pass = passes++;
				return () =>
					Float32Array.from(pack.functionIndex, (functionIndex, piece) =>
						script({ functionIndex, windowIndex: pack.windowIndex[piece]!, pass }),
					);
			},
		};
	};
	const detector: Detector = {
		backend,
		model: undefined as unknown as Model,
		parameters,
		head: undefined,
		free: () => parameters.free(),
	};
	return { detector, objective, dropoutSeeds };
}

/** How a scripted detector is trained and scored: cross-entropy, sequences of ten tokens. */
export function scriptedScoring(
	objective: Objective,
	packing: Partial<PackingOptions> = {},
	windowCombination: ScoringOptions['windowCombination'] = 'mean',
): ScoringOptions {
	return {
		pass: { objective, precision: 'fp32', focal: { gamma: 0, gradient: 'full' }, checkpointing: false },
		packing: {
			length: 10,
			packing: 'isolated',
			order: 'bestFit',
			maxFunctions: 200,
			largeFunctions: 'truncate',
			...packing,
		},
		windowCombination,
		tokens: { leading: [], separator: 0, suffix: [] },
	};
}

/** Functions of the given numbers of tokens, all different, with labels. */
export function functionsOf(lengths: readonly number[], labels: readonly number[]): SplitData {
	let token = 1;
	return splitData(
		lengths.map((_, i) => ({ id: `f${i}`, code: '', label: labels[i] as 0 | 1 })),
		lengths.map((length) => Int32Array.from({ length }, () => token++)),
		{ alpha: null, classWeights: null, statusWeights: null },
	);
}
