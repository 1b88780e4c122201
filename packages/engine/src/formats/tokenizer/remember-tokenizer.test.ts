import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { endOfText, smallTokenizer } from '../testing/small-tokenizer.ts';
import { buildTokenizer } from './build-tokenizer.ts';
import { loadTokenizer } from './load-tokenizer.ts';
import { rememberTokenizer } from './remember-tokenizer.ts';
import type { Tokenizer } from './tokenizer.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-remember-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let folder: string;
let built: number;
beforeEach(() => {
	folder = mkdtempSync(path.join(scratch, 'cache-'));
	built = 0;
});

const json = smallTokenizer();
const files = [new TextEncoder().encode(JSON.stringify(json)), new Uint8Array()];

function remembered(bytes = files): Tokenizer {
	return rememberTokenizer(folder, bytes, 'tokenizer.json', () => {
		built += 1;
		const config = { json: { eos_token: endOfText }, place: 'config' };
		return buildTokenizer({ bytes: bytes[0]!, json, place: 'tokenizer.json', config });
	});
}

const numbersOf = ({ encode: _encode, decode: _decode, ...numbers }: Tokenizer) => numbers;

describe('a remembered tokenizer', () => {
	it('is built at once the first time, then for the first text only', () => {
		const first = remembered();
		expect(built).toBe(1);
		const second = remembered();
		expect(numbersOf(second)).toEqual(numbersOf(first));
		expect(second.separatorId).toBe(256);
		expect(built).toBe(1);
		expect([...second.encode('int x')]).toEqual([...first.encode('int x')]);
		expect(second.decode(second.encode('int x'))).toBe('int x');
		expect(built).toBe(2);
	});

	it('is built anew where a byte of any file is another, or what was kept is damaged', () => {
		remembered();
		remembered([files[0]!, new Uint8Array(1)]);
		expect(built).toBe(2);
		for (const name of readdirSync(folder)) writeFileSync(path.join(folder, name), '{"hash": ');
		remembered();
		expect(built).toBe(3);
	});

	it('fails as the builder does, and keeps nothing then', () => {
		const fails = () => {
			throw new Error('faulty');
		};
		for (let time = 0; time < 2; time++) {
			expect(() => rememberTokenizer(folder, files, 'tokenizer.json', fails)).toThrow('faulty');
		}
		expect(readdirSync(folder)).toEqual([]);
	});

	it('is loaded from a folder that cannot be written, too', () => {
		const model = mkdtempSync(path.join(scratch, 'model-'));
		writeFileSync(path.join(model, 'tokenizer.json'), files[0]!);
		const cacheFolder = path.join(model, 'tokenizer.json', 'inside of a file');
		const tokenizer = loadTokenizer(model, { cacheFolder });
		expect(numbersOf(tokenizer)).toEqual(numbersOf(loadTokenizer(model)));
	});
});
