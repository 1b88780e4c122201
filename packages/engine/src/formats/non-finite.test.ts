import { expect, test } from 'vitest';
import { findNonFinite } from './non-finite.ts';
import type { WeightSource } from './weight-source.ts';

/** A source of tensors by name: type and bytes. */
function sourceOf(tensors: Readonly<Record<string, readonly [dtype: string, values: ArrayBufferView]>>) {
	return {
		info: (name: string) => tensors[name] && { dtype: tensors[name][0] },
		read: (name: string) => new Uint8Array((tensors[name]![1].buffer as ArrayBuffer).slice(0)),
	} as unknown as WeightSource;
}

test.each([
	['F32', Float32Array.of(1, -3e38, Number.NaN), 2],
	['F32', Float32Array.of(Number.NEGATIVE_INFINITY), 0],
	['F64', Float64Array.of(1, 1e308, Number.POSITIVE_INFINITY), 2],
	['BF16', Uint16Array.of(0x3f80, 0xff7f, 0x7fc0), 2],
	['F16', Uint16Array.of(0x7bff, 0xfc00), 1],
	['F64', Float64Array.of(2.5, 1e-310, -0), undefined],
	['U8', Uint8Array.of(255, 255, 255, 255), undefined],
])('%s %o: element %s', (dtype, values, element) => {
	const source = sourceOf({ fine: ['F32', Float32Array.of(1)], other: [dtype, values] });
	const expected = element === undefined ? undefined : { name: 'other', element };
	expect(findNonFinite(source, ['absent', 'fine', 'other'])).toEqual(expected);
	expect(findNonFinite(source, ['fine'])).toBeUndefined();
});
