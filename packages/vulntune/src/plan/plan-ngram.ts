import { existsSync } from 'node:fs';
import { loadAuditedDataset } from '../audit/training-dataset.ts';
import { defaultFeatures } from '../baselines/ngram/features.ts';
import { defaultInverseRegularizations } from '../baselines/ngram/select.ts';
import type { Config } from '../config/schema.ts';
import type { Dataset } from '../data/dataset.ts';
import { type DataSummary, describeData, summarizeData } from '../data/summary.ts';
import { textRows } from '../evaluation/evaluated-rows.ts';
import { formatNumber } from '../terminal/format.ts';
import type { PlanOptions } from './plan-training.ts';

/** What `train --dry-run` prints for `method.type: ngram`, which needs no model. */
export interface NgramPlan {
	readonly method: 'ngram';
	/** Lengths of the n-grams in characters, both included. */
	readonly lengths: readonly [number, number];
	/** Each C that validation chooses from. */
	readonly inverseRegularizations: readonly number[];
	readonly data:
		| {
				readonly rows: { readonly train: number; readonly valid: number; readonly test: number };
				readonly summary: DataSummary;
				/** Of the training functions. */
				readonly characters: number;
		  }
		| { readonly missing: string };
	readonly output: string;
}

export async function planNgram(
	config: Config,
	{ note, dataset }: Pick<PlanOptions, 'note' | 'dataset'>,
): Promise<NgramPlan> {
	return {
		method: 'ngram',
		lengths: [defaultFeatures.shortest, defaultFeatures.longest],
		inverseRegularizations: defaultInverseRegularizations,
		data: await planData(config, note, dataset),
		output: config.output,
	};
}

async function planData(
	{ data }: Config,
	note: (line: string) => void,
	given: Dataset | undefined,
): Promise<NgramPlan['data']> {
	if (given === undefined && !existsSync(data.path)) return { missing: data.path };
	const dataset = given ?? (await loadAuditedDataset(data, note));
	const { train, valid, test } = dataset.splits;
	const splits = { train: { rows: train }, valid: { rows: valid }, test: { rows: test } };
	const summary = summarizeData(splits, null, dataset.leftOut);
	const texts = textRows(train, data.collapseWhitespace);
	return {
		summary,
		rows: { train: train.length, valid: valid.length, test: test.length },
		characters: texts.reduce((sum, { text }) => sum + text.length, 0),
	};
}

/** The plan for people. */
export function renderNgramPlan({ data, lengths, inverseRegularizations, output }: NgramPlan): string {
	const lines: [string, string][] = [
		['method', `logistic regression on n-grams of ${lengths.join(' to ')} characters; no model is needed`],
		['', `its C is chosen on validation from ${inverseRegularizations.join(', ')}`],
	];
	if ('missing' in data) {
		lines.push(['data', `${data.missing} is not there`]);
	} else {
		lines.push(
			...describeData(data.summary),
			['', `${formatNumber(data.characters)} characters to train on`],
			['time', 'seconds for a thousand functions, on one core'],
		);
	}
	lines.push(['output', output]);
	return lines.map(([name, text]) => `${name.padEnd(10)}${text}`).join('\n');
}
