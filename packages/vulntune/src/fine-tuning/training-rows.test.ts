import { describe, expect, it } from 'vitest';
import type { PackingOptions } from '../packing/options.ts';
import type { SplitData } from '../scoring/split-data.ts';
import { describeTrainingRows, oneClassValidationNote } from './training-rows.ts';

const packing: PackingOptions = {
	length: 10,
	packing: 'isolated',
	order: 'bestFit',
	maxFunctions: 200,
	largeFunctions: 'ignore',
	windowStride: null,
	suffixLength: 0,
};

function split(lengths: readonly number[], labels: readonly (0 | 1)[]): SplitData {
	const rows = labels.map((label, id) => ({ id, code: 'x', label }));
	return { rows, lengths } as unknown as SplitData;
}

describe('training rows', () => {
	it('are described with what is not seen whole', () => {
		const rows = split([4, 4, 30], [0, 1, 1]);
		expect(describeTrainingRows(rows, packing)).toBe(
			'3 training functions in 1 sequences, 100.0 % full; 1 left out as longer than 10 tokens',
		);
		expect(describeTrainingRows(rows, { ...packing, largeFunctions: 'truncate' })).toMatch(
			/1 cut to 10 tokens$/,
		);
		expect(describeTrainingRows(split([4, 4], [0, 1]), packing)).toMatch(/100\.0 % full$/);
	});

	it('must be of both classes', () => {
		expect(() => describeTrainingRows(split([4, 4], [0, 0]), packing)).toThrow(
			/both classes, found 2 not vuln/,
		);
		expect(() => describeTrainingRows(split([4, 4], [1, 1]), packing)).toThrow(
			/both classes, found 2 vulnerable/,
		);
	});

	it('must not all be ignored', () => {
		expect(() => describeTrainingRows(split([30, 40], [0, 1]), packing)).toThrow(
			/^sequence\.length: all 2 training functions are longer than 10 tokens/,
		);
	});
});

it('says what a validation split of one class leaves open', () => {
	const rowsOf = (...labels: (0 | 1)[]) => labels.map((label) => ({ label }));
	expect(oneClassValidationNote(rowsOf(0, 1))).toBeUndefined();
	expect(oneClassValidationNote(rowsOf(1, 1))).toMatch(
		/^validation has vulnerable functions only: no threshold/,
	);
	expect(oneClassValidationNote(rowsOf(0))).toMatch(/^validation has no vulnerable function: no threshold/);
});
