import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import { type PeftPrefix, readPeftPrefix, writePeftPrefix } from './peft-prefix.ts';

/** Two places before a model of one layer with one head of four elements. */
const prefix: PeftPrefix = {
	baseModel: 'base',
	layers: 1,
	heads: 1,
	prompt: { shape: [2, 8], values: Float32Array.from({ length: 16 }, (_, i) => i / 8) },
	head: new Map([['score.weight', { shape: [2, 4], values: new Float32Array(8).fill(0.5) }]]),
};

/** What is read of a prefix that was written with these changes. */
function writtenAndRead(changes: Partial<PeftPrefix>): PeftPrefix {
	const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-prefix-'));
	writePeftPrefix(folder, { ...prefix, ...changes });
	return readPeftPrefix(folder);
}

describe('a prefix in the layout of PEFT', () => {
	test('is read as it was written, with its head and without', () => {
		expect(writtenAndRead({})).toEqual(prefix);
		expect(writtenAndRead({ head: new Map() })).toEqual({ ...prefix, head: new Map() });
	});

	test('is refused with a number that is none', () => {
		const values = new Float32Array(16).fill(Number.NaN);
		const error = thrownBy(() => writtenAndRead({ prompt: { ...prefix.prompt, values } }));
		expect(error).toMatchObject({
			code: 'ADAPTER_WEIGHTS',
			summary: 'prompt_embeddings holds NaN as its element 0',
		});
	});

	test('is refused with a tensor that nothing reads', () => {
		const error = thrownBy(() => writtenAndRead({ head: new Map([['other', prefix.prompt]]) }));
		expect(error).toMatchObject({
			code: 'ADAPTER_WEIGHTS',
			summary: expect.stringContaining('other is neither prompt_embeddings nor part of a head'),
		});
	});
});
