import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { checkBase, openBase, uncheckedBase } from './open-base.ts';

const root = temporaryFolder();
const model = writeTinyModel(path.join(root, 'model'));
const needs = { model, objective: 'class', sequence: { length: 64 } } as const;
let copies = 0;

/** A copy of the model with a text of one of its files replaced. */
function modelWith(file: string, found: string, put: string): string {
	const copy = path.join(root, `copy-${copies++}`);
	cpSync(model, copy, { recursive: true });
	const text = readFileSync(path.join(copy, file), 'latin1');
	expect(text).toContain(found);
	writeFileSync(path.join(copy, file), text.replace(found, put), 'latin1');
	return copy;
}

describe('opening a base', () => {
	it('refuses sequences beyond its window', () => {
		const long = { ...needs, sequence: { length: 65_537 } };
		expect(() => openBase(long)).toThrow(expect.objectContaining({ code: 'SEQUENCE_TOO_LONG' }));
	});

	it('takes one without an output matrix for a classifier, and for nothing else', () => {
		const headless = modelWith('config.json', '"tie_word_embeddings":true', '"tie_word_embeddings":false');
		const base = openBase({ ...needs, model: headless });
		expect(base.folder.config.languageHead).toBe('absent');
		base.close();
		const refusal = { code: 'MODEL_HEAD_MISSING', place: headless };
		expect(() => openBase({ ...needs, model: headless, objective: 'nextToken' })).toThrow(
			expect.objectContaining(refusal),
		);
	});
});

describe('a base beside an adapter', () => {
	const own = openBase(needs);
	own.close();
	const recorded = { adapter: '/a', model: '/base', fingerprint: own.fingerprint };
	const check = (folder: string, allowOther = false) => {
		const base = openBase({ ...needs, model: folder });
		base.close();
		return checkBase(recorded, base, allowOther);
	};

	it('is taken where it is the same, and said to be unchecked where nothing is known', () => {
		expect(check(model)).toBeUndefined();
		expect(checkBase({ ...recorded, fingerprint: undefined }, own, false)).toBe(uncheckedBase);
	});

	it.each([
		['config.json', '"rope_theta":10000', '"rope_theta":20000', 'another config.json'],
		['tokenizer.json', '}', '} ', 'another tokenizer'],
	])('with another %s is refused with both named, or taken by name', (file, found, put, what) => {
		const other = modelWith(file, found, put);
		const both = expect.stringMatching(
			new RegExp(`/base.*${what} \\([0-9a-f]{12} there, [0-9a-f]{12} here\\)`),
		);
		expect(() => check(other)).toThrow(
			expect.objectContaining({
				code: 'BASE_MISMATCH',
				place: other,
				summary: both,
				remedy: expect.stringContaining('--allow-other-base'),
			}),
		);
		expect(check(other, true)).toEqual(both);
	});
});
