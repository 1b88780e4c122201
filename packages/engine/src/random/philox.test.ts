import fc from 'fast-check';
import { expect, test } from 'vitest';
import { philox } from './philox.ts';

const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, '0')).join(' ');

test.each([
	[[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
	[
		[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
		[0xffffffff, 0xffffffff],
		'408f276d 41c83b0e a20bc7c6 6d5451fd',
	],
	[
		[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
		[0xa4093822, 0x299f31d0],
		'd16cfe09 94fdcceb 5001e420 24126ea1',
	],
] as const)('gives the known answer for counter %j and key %j', (counter, key, expected) => {
	expect(hex(philox(counter, key))).toBe(expected);
});

test('agrees with the same rounds in arbitrary precision', () => {
	const word = fc.nat({ max: 0xffffffff });
	fc.assert(
		fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
			let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
			let [k0, k1] = key.map(BigInt) as [bigint, bigint];
			const mask = 0xffffffffn;
			for (let round = 0; round < 10; round++) {
				const product0 = 0xd2511f53n * c0;
				const product1 = 0xcd9e8d57n * c2;
				[c0, c1, c2, c3] = [
					(product1 >> 32n) ^ c1 ^ k0,
					product1 & mask,
					(product0 >> 32n) ^ c3 ^ k1,
					product0 & mask,
				];
				k0 = (k0 + 0x9e3779b9n) & mask;
				k1 = (k1 + 0xbb67ae85n) & mask;
			}
			expect([...philox(counter, key)]).toEqual([c0, c1, c2, c3].map(Number));
		}),
	);
});
