import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { evaluateScores } from '../metrics/evaluate-scores.ts';
import { headlineLines, measuredLines } from './metric-lines.ts';

const rows = {
	...{ labels: [1, 0, 1, 0], scores: [0.9, 0.1, 0.4, 0.6], threshold: 0.5, seed: 1, resamples: 0 },
	pairs: [
		[0, 1],
		[2, 3],
	] as const,
};

test('the first lines are what is looked at first', () => {
	const lines = measuredLines([evaluateScores(rows)]);
	expect(lines.slice(0, 3).map(({ label }) => label)).toEqual(headlineLines.map(({ label }) => label));
	expect(headlineLines.map(({ label }) => label)).toEqual(['ROC AUC', 'F1', 'average precision']);
});

test('lines of pairs are there where all have pairs', () => {
	const [paired, alone] = [evaluateScores(rows), evaluateScores({ ...rows, pairs: undefined })];
	const pairs = (evaluations: Parameters<typeof measuredLines>[0]) =>
		measuredLines(evaluations).filter(({ label }) => label.startsWith('pairs')).length;
	expect([pairs([paired, paired]), pairs([paired, alone]), pairs([alone])]).toEqual([5, 0, 0]);
});

test('lines of statuses are there where functions that are not vulnerable are of several', () => {
	const statuses = [null, 'FIXED', null, 'NOT_VULNERABLE'];
	const labels = measuredLines([evaluateScores({ ...rows, statuses })]).map(({ label }) => label);
	expect(labels.slice(-2)).toEqual(['ROC AUC against 1 FIXED', 'ROC AUC against 1 NOT_VULNERABLE']);
});

test('docs/reading-the-report.md explains every metric, and which way is better', () => {
	const page = readFileSync(
		path.resolve(import.meta.dirname, '../../../../docs/reading-the-report.md'),
		'utf8',
	);
	const explained = [...page.matchAll(/^\| ([^|]+) \| ([↑↓]) \| [^|]+ \|/gm)].map(([, label, mark]) => [
		label,
		mark === '↑' ? 'higher' : 'lower',
	]);
	expect(explained).toEqual(
		measuredLines([evaluateScores(rows)]).map(({ label, better }) => [label, better]),
	);
});
