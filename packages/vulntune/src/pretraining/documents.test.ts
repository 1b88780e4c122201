import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readDocuments } from './documents.ts';
import { resolvePretrainConfig } from './load-config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-documents-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
	const file = path.join(folder, name);
	mkdirSync(path.dirname(file), { recursive: true });
	writeFileSync(file, content);
	return file;
}

const source = (options: object) =>
	resolvePretrainConfig({ source: { validationShare: 0.25, ...options } }, { place: 'test', folder }).source;

function all(options: object, seed = 1, warn?: (line: string) => void): string[] {
	const { train, valid } = readDocuments(source(options), seed, warn);
	return [...train, ...valid].sort();
}

describe('a folder', () => {
	test('gives its source files, wherever they lie, once each', () => {
		write('src/b.java', 'class  B {\n}');
		write('src/deep/a.java', 'class A {}');
		write('src/deep/same.java', 'class A {}');
		write('src/empty.java', ' \n');
		write('src/readme.md', 'no source');
		write('src/.git/c.java', 'class C {}');
		write('src/node_modules/d.java', 'class D {}');
		expect(all({ type: 'folder', path: 'src' })).toEqual(['class A {}', 'class B { }']);
		expect(all({ type: 'folder', path: 'src', collapseWhitespace: false })).toContain('class  B {\n}');
		expect(all({ type: 'folder', path: 'src', extensions: ['.java', '.md'] })).toHaveLength(3);
	});

	test('names the files that it passes over', () => {
		for (const name of ['a', 'b']) write(`odd/${name}.java`, `class ${name} {}`);
		write('odd/latin.java', Uint8Array.of(0x63, 0xe9));
		write('odd/large.java', 'x'.repeat(2 ** 20 + 1));
		const lines: string[] = [];
		expect(all({ type: 'folder', path: 'odd' }, 1, (line) => lines.push(line))).toHaveLength(2);
		expect(lines.join('\n')).toMatch(/large\.java is passed over: .*too large[\s\S]*latin\.java.*not UTF-8/);
	});

	test('must be there and hold something', () => {
		expect(() => all({ type: 'folder', path: 'nowhere' })).toThrow(/nowhere: .*nothing at this path/);
		write('one/a.java', 'class A {}');
		expect(() => all({ type: 'folder', path: 'one' })).toThrow(/at least two different documents.*found 1/);
	});
});

describe('a JSONL file', () => {
	test('gives the code of its lines, labelled or not', () => {
		write('rows.jsonl', '{"code": "int a;"}\n\n{"func": "int  b;", "target": 1}\n');
		expect(all({ type: 'jsonl', path: 'rows.jsonl' })).toEqual(['int a;', 'int b;']);
	});

	test('shows every fault with its line', () => {
		write('bad.jsonl', '{"code": "int a;"}\n{"code": 3}\n[]\n{"code"\n');
		expect(() => all({ type: 'jsonl', path: 'bad.jsonl' })).toThrow(
			/bad\.jsonl:2: code: expected a text[\s\S]*bad\.jsonl:3: expected an object[\s\S]*bad\.jsonl:4: broken JSON/,
		);
	});
});

describe('the validation share', () => {
	const options = { type: 'generated', functions: 100 };

	test('has no document in common with the rest, and depends on the seed', () => {
		const { train, valid } = readDocuments(source(options), 1);
		expect(valid.length / (train.length + valid.length)).toBeCloseTo(0.25, 1);
		expect(train.filter((text) => valid.includes(text))).toEqual([]);
		expect(readDocuments(source(options), 2).valid).not.toEqual(valid);
		expect(readDocuments(source(options), 2).hash).toBe(readDocuments(source(options), 1).hash);
	});

	test('leaves the texts as they are whatever their order of reading', () => {
		expect(all(options, 1)).toEqual(all(options, 2));
	});
});
