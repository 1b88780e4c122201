import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runsOf } from '../../../../tests/nightly/nightly.ts';
import { createFaultList } from './faults.ts';
import { readJsonlRows } from './jsonl.ts';

it('gives rows or faults with their line for any bytes', () => {
	const line = '{"code": "int f() { return 1; }", "target": 0, "idx": 5, "cwe": ["CWE-1"]}';
	const whole = Buffer.from(`${line}\n${line.replace('5', '6')}\n`);
	const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 });
	fc.assert(
		fc.property(edits, (list) => {
			const bytes = Buffer.from(whole);
			for (const [position, value] of list) bytes[position] = value;
			const faults = createFaultList();
			const rows = readJsonlRows(bytes, { name: 'train.jsonl' }, faults);
			for (const { code, label } of rows) {
				expect(code.trim()).not.toBe('');
				expect([0, 1]).toContain(label);
			}
			if (faults.count > 0) expect(faults.toError()?.message).toMatch(/train\.jsonl:\d+: /);
			else expect(rows.length).toBeGreaterThan(0);
		}),
		runsOf({ suite: 2000, nightly: 100_000, seed: 1 }),
	);
});

it('reads nothing from nothing', () => {
	const faults = createFaultList();
	expect(readJsonlRows(new Uint8Array(), { name: 'train.jsonl' }, faults)).toEqual([]);
	expect(faults.toError()).toBeUndefined();
});

it('keeps whole numbers beyond 2^53 as they stand, ids and commits alike', () => {
	const text = [8, 9]
		.map(
			(last) =>
				`{"idx": 123456789012345678${last}, "code": "f", "target": 1, "commit": 99999999999999${last}9}`,
		)
		.join('\n');
	const faults = createFaultList();
	const rows = readJsonlRows(Buffer.from(text), { name: 'train.jsonl' }, faults);
	expect(faults.toError()).toBeUndefined();
	expect(rows.map(({ id, commit }) => [id, commit])).toEqual([
		['1234567890123456788', '9999999999999989'],
		['1234567890123456789', '9999999999999999'],
	]);
});
