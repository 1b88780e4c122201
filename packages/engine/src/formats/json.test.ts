import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ownValue, parseJsonObject, quoteName } from './json.ts';

const where = { code: 'TEST_JSON', place: 'test.json' };
const parse = (text: string) => parseJsonObject(Buffer.from(text), where);

test('gives what JSON.parse gives for every object without a name twice', () => {
	fc.assert(
		fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }), (object) => {
			for (const text of [JSON.stringify(object), JSON.stringify(object, null, 2)]) {
				expect(parse(text)).toEqual(JSON.parse(text));
			}
		}),
		{ seed: 5, numRuns: 300 },
	);
});

test.each([
	['{"a":1,"a":1}'],
	['{"a":1, "\\u0061" : 2}'],
	['{"a":{"b":1,"c":[{"d":1,"d":2}]}}'],
	['{"\\"":1,"x":"\\\\","\\"":2}'],
])('finds the name that occurs twice in %s', (text) => {
	expect(() => parse(text)).toThrow(/occurs twice/);
});

test.each([
	['{"a":{"a":1},"b":{"a":1}}'],
	['{"a":"a","b":["a","a"]}'],
	['{"a":"\\"a\\":","b":"{\\"a\\":1"}'],
])('takes %s', (text) => {
	expect(parse(text)).toEqual(JSON.parse(text));
});

test.each([['[]'], ['null'], ['1'], ['"a"'], [''], ['{'], ['\ufeff{}'], ['{} x']])('refuses %s', (text) => {
	expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'TEST_JSON', place: 'test.json' }));
});

test('refuses bytes that are not UTF-8', () => {
	expect(() => parseJsonObject(Uint8Array.of(0x7b, 0xff, 0x7d), where)).toThrow(/not UTF-8/);
});

test('reads own values only', () => {
	expect(ownValue(parse('{}'), 'constructor')).toBeUndefined();
	expect(ownValue(parse('{"__proto__":5}'), '__proto__')).toBe(5);
});

test('shortens long names and escapes the rest', () => {
	expect(quoteName('x'.repeat(1000)).length).toBeLessThan(90);
	expect(quoteName('a\nb')).toBe('"a\\nb"');
});
