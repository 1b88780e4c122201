import fc from 'fast-check';
import { expect, test } from 'vitest';
import { packBits, packedBytes, unpackBits } from './pack-bits.ts';

test('codes come back from as many bits as they need, whatever their number', () => {
	const codes = fc.integer({ min: 1, max: 8 }).chain((bits) =>
		fc.record({
			bits: fc.constant(bits),
			codes: fc.uint8Array({ min: 0, max: 2 ** bits - 1, maxLength: 70 }),
		}),
	);
	fc.assert(
		fc.property(codes, ({ bits, codes }) => {
			const packed = packBits(codes, bits);
			expect(packed).toHaveLength(packedBytes(codes.length, bits));
			expect(unpackBits(packed, bits, codes.length)).toEqual(codes);
		}),
	);
});

test('the highest bit comes first, as in NF4', () => {
	expect(packBits(Uint8Array.of(0xa, 0x3, 0xf), 4)).toEqual(Uint8Array.of(0xa3, 0xf0));
	expect(packBits(Uint8Array.of(0b101, 0b011, 0b110), 3)).toEqual(Uint8Array.of(0b10101111, 0b00000000));
});
