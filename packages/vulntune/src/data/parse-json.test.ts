import { expect, it } from 'vitest';
import { parseJson } from './parse-json.ts';

it.each([
	['9007199254740991', 9007199254740991],
	['9007199254740993', '9007199254740993'],
	['-1234567890123456789', '-1234567890123456789'],
	['[1234567890123456789, 1.5, 1e300]', ['1234567890123456789', 1.5, 1e300]],
	[
		'{"a": {"b": 1234567890123456789}, "c": "1234567890123456789"}',
		{ a: { b: '1234567890123456789' }, c: '1234567890123456789' },
	],
])('keeps the digits of whole numbers that no JavaScript number holds: %s', (text, value) => {
	expect(parseJson(text)).toEqual(value);
});
