import { expect, it } from 'vitest';
import { decodeMessage, encodeMessage } from './message.ts';

it('keeps every number, those included that JSON has no words for', () => {
	const numbers = [0.1, Number.MIN_VALUE, 2 ** 53 + 2, Number.NaN, Infinity, -Infinity];
	const message = { message: { numbers, nested: [{ loss: Number.NaN, text: 'NaN' }], nothing: null } };
	expect(decodeMessage(encodeMessage(message))).toEqual(message);
});
