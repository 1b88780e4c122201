/**
 * The types of a quantised base, as `method.base` names them. quantilek: equation (1) of the paper, 2^k - 1 values; normalk: NF4's own
 * construction for k bits.
 */
export const quantizedTypes = [
	'nf4',
	'fp4',
	'int8',
	'quantile2',
	'quantile3',
	'quantile4',
	'quantile5',
	'quantile6',
	'quantile7',
	'quantile8',
	'normal2',
	'normal3',
	'normal4',
	'normal5',
	'normal6',
	'normal7',
	'normal8',
] as const;

export type QuantizedType = (typeof quantizedTypes)[number];

export function isQuantizedType(name: unknown): name is QuantizedType {
	return (quantizedTypes as readonly unknown[]).includes(name);
}
