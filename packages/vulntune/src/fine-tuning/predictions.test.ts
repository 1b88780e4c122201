import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import type { FunctionRow } from '../data/row.ts';
import { evaluatePredictionsFile } from '../evaluation/evaluate-predictions-file.ts';
import { savePredictions } from './predictions.ts';

it('keeps what pairs of a function and its fix are told by, and the threshold', async () => {
	const file = path.join(temporaryFolder(), 'predictions.test.jsonl');
	const rows: FunctionRow[] = [1, 0, 1, 0].map((label, index) => ({
		id: index,
		code: 'f',
		label: label as 0 | 1,
		commit: `c${index >> 1}`,
		functionName: 'read',
	}));
	savePredictions(file, rows, [0.9, 0.1, 0.2, 0.8], 0.5);
	const { evaluation, thresholdFrom } = await evaluatePredictionsFile(file);
	expect([evaluation.threshold.value, thresholdFrom]).toEqual([0.5, 'file']);
	expect(evaluation.pairs).toMatchObject({ count: 2, correct: { value: 0.5 }, reversed: { value: 0.5 } });
});
