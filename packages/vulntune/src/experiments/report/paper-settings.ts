import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config/schema.ts';
import { resolvedValue } from '../select-cells.ts';

/** What the rows of the paper's Table 1 vary, what a row's label tells of a cell, and what is another run of the same. */
const free: readonly string[] = [
	...['model', 'data.path', 'data.projects', 'method.type', 'sequence.length', 'sequence.largeFunctions'],
	...['training.epochs', 'training.seed'],
];

const ofP3 = { VULNERABLE: 3, FIXED: 3, NOT_VULNERABLE: 1 };

/** The paper's other settings, as configs/paper has them; several values where its rows, or its text and its code, differ. */
const paperSettings: Readonly<Record<string, readonly unknown[]>> = {
	objective: ['class'],
	'data.dropNearDuplicates': [false],
	'data.sample': [null],
	'method.base': ['nf4', 'fp4', 'bf16', 'fp32'],
	'method.rank': [8],
	'method.alpha': [32],
	'method.dropout': [0.05],
	'method.targets': ['attention'],
	'method.rsLora': [false],
	'method.from': [null],
	'head.pool': ['last'],
	'head.hidden': [null],
	'sequence.packing': ['leaky'],
	'sequence.order': ['arrival'],
	'loss.type': ['focal'],
	'loss.gamma': [1],
	'loss.alpha': [null],
	'loss.gradient': ['detached'],
	'loss.reduction': ['sum'],
	'loss.classWeights': [null],
	'loss.statusWeights': [null, ofP3],
	'loss.pair': [null],
	'training.learningRate': [1e-4],
	'training.schedule': ['cosine'],
	'training.warmupSteps': [2],
	'training.weightDecay': [0.05],
	'training.accumulation': [4, 160],
	'training.clipNorm': [1],
	'training.precision': ['bf16', 'fp32'],
	'training.earlyStopping': [null],
};

/**
 * Whether the options in which the cells of a grid differ leave a cell a row of the paper: one that the grid sets to something else asks
 * another question.
 *
 * @param columns options in which the cells of its grid differ
 */
export function asksWhatPaperAsks(config: Config, columns: readonly string[]): boolean {
	return columns.every((option) => free.includes(option) || isOfPaper(option, resolvedValue(config, option)));
}

function isOfPaper(option: string, value: unknown): boolean {
	return paperSettings[option]?.some((own) => isDeepStrictEqual(own, value)) ?? false;
}

/** `smollm2-135m, 3 epochs; otherwise than the paper: head.pool mean`: what tells a cell from the row of the paper above it. */
export function describeBesidePaper(config: Config): string {
	const { model, training, data } = config;
	const { epochs } = training;
	const { sample } = data;
	const others = Object.keys(paperSettings).flatMap((option) => {
		const value = resolvedValue(config, option);
		if (value === undefined || option === 'data.sample' || isOfPaper(option, value)) return [];
		return [`${option} ${typeof value === 'string' ? value : JSON.stringify(value)}`];
	});
	const parts = [
		path.basename(model),
		`${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}`,
		...(sample === null || sample === undefined ? [] : [`trained on a sample: ${describeSample(sample)}`]),
	];
	return `${parts.join(', ')}${others.length === 0 ? '' : `; otherwise than the paper: ${others.join(', ')}`}`;
}

function describeSample(sample: number | Readonly<Record<string, number>>): string {
	const percent = (share: number) => `${Number((100 * share).toPrecision(3))} %`;
	if (typeof sample === 'number') return `${percent(sample)} of the rows`;
	return Object.entries(sample)
		.map(([status, share]) => `${percent(share)} of the ${status} rows`)
		.join(', ');
}
