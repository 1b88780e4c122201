import type { WeightInfo, WeightSource } from './weight-source.ts';

/** Where a tensor holds NaN or infinity. */
export interface NonFinite {
	readonly name: string;
	/** Of the flat row-major tensor. */
	readonly element: number;
}

/** All bits of the exponent, which are set in NaN and the infinities alone; of a F64, in its upper half. */
const exponents: Partial<Record<WeightInfo['dtype'], number>> = {
	F16: 0x7c00,
	BF16: 0x7f80,
	F32: 0x7f80_0000,
	F64: 0x7ff0_0000,
};

/**
 * The first NaN or infinity in the named floating-point tensors, read one at a time. It takes as long as reading the weights,
 * so that it is looked for when a number has gone wrong, not at every start.
 */
export function findNonFinite(source: WeightSource, names: readonly string[]): NonFinite | undefined {
	for (const name of names) {
		const dtype = source.info(name)?.dtype;
		const exponent = dtype === undefined ? undefined : exponents[dtype];
		if (exponent === undefined) continue;
		const bytes = source.read(name);
		const words =
			dtype === 'F16' || dtype === 'BF16' ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
		const index = words.findIndex((word, at) => (word & exponent) >>> 0 === exponent && isHigh(dtype!, at));
		if (index >= 0) return { name, element: dtype === 'F64' ? index >> 1 : index };
	}
	return undefined;
}

function isHigh(dtype: WeightInfo['dtype'], word: number): boolean {
	return dtype !== 'F64' || word % 2 === 1;
}
