import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { VulntuneError } from '@vulntune/engine';
import { expect, test } from 'vitest';
import { formatPredictions, type Prediction, parsePredictions, readPredictions } from './predictions.ts';

const good = '{"id":"a","label":1,"probability":0.25}';

test.each([
	['{"id":"b","label":2,"probability":0.5}', /label: expected 0 or 1, found 2/],
	['{"id":"b","label":"1","probability":0.5}', /label: expected 0 or 1, found "1"/],
	['{"id":"b","label":true,"probability":0.5}', /label: expected 0 or 1, found true/],
	['{"id":"b","label":1,"probability":1.01}', /probability: expected a number from 0 to 1, found 1.01/],
	['{"id":"b","label":1,"probability":-0.1}', /probability: .* found -0.1/],
	['{"id":"b","label":1,"probability":"NaN"}', /probability: .* found "NaN"/],
	['{"id":"b","label":1,"probability":NaN}', /broken JSON/],
	['{"id":"b","label":1,"probability":1e999}', /probability: .* found Infinity/],
	['{"id":"b","label":1,"probability":null}', /null needs "missing"/],
	['{"id":"b","label":1}', /the key "probability" is missing/],
	['{"label":1,"probability":0.5}', /the key "id" is missing/],
	['{"id":"b","probability":0.5}', /the key "label" is missing/],
	['{"id":null,"label":1,"probability":0.5}', /id: expected a text or a number, found null/],
	['{"id":"a","label":0,"probability":0.5}', /the id "a" is already on line 1/],
	['{"id":"b","label":1,"probability":0.5,"commit":7}', /commit: expected a text, found 7/],
	[
		'{"id":"b","label":1,"probability":0.5,"threshold":2}',
		/threshold: expected a number from 0 to 1, found 2/,
	],
	['[1]', /expected an object/],
	['null', /expected an object/],
	['{"id":', /broken JSON/],
])('refuses %s with its line', (line, message) => {
	const read = () => parsePredictions(`${good}\n\n${line}\n`, 'predictions.jsonl');
	expect(read).toThrow(message);
	expect(read).toThrow(/^predictions\.jsonl:3: /);
	expect(read).toThrow(VulntuneError);
});

test.each([
	['threshold', 0.5],
	['fold', 2],
	['cluster', 'c'],
])('refuses a line without the %s that others have, first or last', (key, value) => {
	const line = (id: number, more: object = {}) => JSON.stringify({ id, label: 1, probability: 0.5, ...more });
	const having = { [key]: value };
	const first = () => parsePredictions([line(1), line(2, having)].join('\n'), 'p');
	expect(first).toThrow(`p:1: no ${key}, but line 2 has one`);
	expect(() => parsePredictions([line(1, having), '', line(2)].join('\n'), 'p')).toThrow(
		/^p:3: .*line 1 has/,
	);
	// what was not scored is called nothing
	const unscored = line(3, { probability: null, missing: 'too long' });
	expect(parsePredictions([line(1, having), unscored].join('\n'), 'p')).toHaveLength(2);
	// a function's own
	expect(parsePredictions([line(1, { cwe: 'CWE-1', commit: 'a' }), line(2)].join('\n'), 'p')).toHaveLength(2);
});

test('a number and a text that look alike are the same id', () => {
	const lines = '{"id":1,"label":1,"probability":0.5}\n{"id":"1","label":1,"probability":0.5}';
	expect(() => parsePredictions(lines, 'p')).toThrow(/already on line 1/);
});

test('an empty file holds no predictions', () => {
	expect(() => parsePredictions('\n\n', 'p.jsonl')).toThrow(
		/p\.jsonl: expected one prediction per line, found none/,
	);
});

test('tolerates a byte-order mark, CRLF, no newline at the end, and unknown keys', () => {
	const text = `\uFEFF${good}\r\n{"id":2,"label":0,"probability":1,"model":"x"}`;
	expect(parsePredictions(text, 'p')).toEqual([
		{ id: 'a', label: 1, probability: 0.25 },
		{ id: 2, label: 0, probability: 1 },
	]);
});

test('an empty text is none: rows without a commit are not of one', () => {
	const line = '{"id":1,"label":1,"probability":0.5,"commit":"","cluster":" ","cwe":""}';
	expect(parsePredictions(line, 'p')).toEqual([{ id: 1, label: 1, probability: 0.5 }]);
	const unscored = '{"id":1,"label":1,"probability":null,"missing":""}';
	expect(() => parsePredictions(unscored, 'p')).toThrow(/needs "missing" with the reason/);
});

test('a folder is no file of predictions', async () => {
	await expect(readPredictions(tmpdir())).rejects.toThrow(/cannot be read: there is a folder at this path/);
});

test('what is written is read again, missing functions included', async () => {
	const folder = await mkdtemp(path.join(tmpdir(), 'vulntune-predictions-'));
	try {
		const file = path.join(folder, 'predictions.test.jsonl');
		const predictions: Prediction[] = [
			{ id: 7, label: 1, probability: 0.1 + 0.2, commit: 'abc', cwe: 'CWE-79', threshold: 0.3 },
			{ id: 'x', label: 0, probability: null, missing: 'longer than the sequence' },
		];
		await writeFile(file, formatPredictions(predictions));
		expect(await readPredictions(file)).toEqual(predictions);
		await expect(readPredictions(path.join(folder, 'none.jsonl'))).rejects.toThrow(
			/none\.jsonl: .*does not exist/,
		);
	} finally {
		await rm(folder, { recursive: true });
	}
});

test('does not write a probability that is none', () => {
	expect(() => formatPredictions([{ id: 3, label: 1, probability: Number.NaN }])).toThrow(
		/function 3: .*NaN/,
	);
});

test('an id beyond 2^53 comes back as it was, and is not that of its neighbour', () => {
	const lines = ['1234567890123456788', '1234567890123456789'].map((id) => good.replace('"a"', id));
	expect(parsePredictions(lines.join('\n'), 'p').map(({ id }) => id)).toEqual([
		'1234567890123456788',
		'1234567890123456789',
	]);
});
