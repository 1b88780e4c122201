import type { SafetensorsDtype } from '../safetensors/dtypes.ts';
import type { WeightSource } from '../weight-source.ts';

/** How a quantised linear weight lies in a checkpoint, as far as names, types and sizes tell. */
export interface StoredLayout {
	/** The tensor `<name>.quant_state.<state>` tells the layout from the others. */
	readonly states: readonly string[];
	/** Types in which the codes may lie. */
	readonly dtypes: readonly SafetensorsDtype[];
	/**
	 * Two codes a byte lie in the shape [elements / 2, 1], single ones in the shape of the matrix; undefined where only the quant
	 * state tells how many bits a code has.
	 */
	readonly codesPerByte: 1 | 2 | undefined;
	/** What else must be there as `<name>.<suffix>`. */
	readonly companions: readonly string[];
	/** What may be there besides. */
	readonly optional: readonly string[];
}

/** bitsandbytes' for 4 bits, and ours for the types that it has none for (see quantize/own-tensors.ts). */
const layouts: readonly StoredLayout[] = [
	{
		states: ['bitsandbytes__nf4', 'bitsandbytes__fp4'],
		// bnb_4bit_quant_storage: the same bytes under another type, so that FSDP can shard them beside weights of that type
		dtypes: ['U8', 'I8', 'BF16', 'F16', 'F32', 'F64'],
		codesPerByte: 2,
		companions: ['absmax', 'quant_map'],
		optional: ['nested_absmax', 'nested_quant_map'],
	},
	{
		states: ['vulntune__int8'],
		dtypes: ['I8'],
		codesPerByte: 1,
		companions: ['scales'],
		optional: [],
	},
	{
		states: ['quantile', 'normal'].flatMap((kind) =>
			[2, 3, 4, 5, 6, 7, 8].map((bits) => `vulntune__${kind}${bits}`),
		),
		dtypes: ['U8'],
		codesPerByte: undefined,
		companions: ['absmax', 'quant_map'],
		optional: [],
	},
];

/** The layout of a quantised weight; undefined where the tensor is a plain one. */
export function storedLayout(source: WeightSource, name: string): StoredLayout | undefined {
	const dtype = source.info(name)?.dtype;
	if (dtype === undefined) return undefined;
	return layouts.find(
		(layout) =>
			layout.dtypes.includes(dtype) &&
			layout.states.some((state) => source.info(`${name}.quant_state.${state}`) !== undefined),
	);
}

const suffixes = layouts.flatMap(({ states, companions, optional }) => [
	...companions,
	...optional,
	...states.map((state) => `quant_state\\.${state}`),
]);
const besideWeight = new RegExp(`\\.(${[...new Set(suffixes)].join('|')})$`);

/** The weight that a tensor such as `<name>.absmax` belongs to; undefined where the name is not of that form. */
export function weightBeside(name: string): string | undefined {
	return besideWeight.test(name) ? name.replace(besideWeight, '') : undefined;
}
