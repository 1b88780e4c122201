import type { SafetensorsDtype } from '../safetensors/dtypes.ts';
import { formatError, unsupportedError } from './gguf-errors.ts';

/** How the elements of a tensor lie in a file: in blocks of so many elements and bytes, which never cross rows. */
export interface GgufTensorType {
	readonly name: string;
	readonly blockElements: number;
	readonly blockBytes: number;
	/** What the bytes are as they lie there; undefined where they are blocks of codes, whose values are read as F32. */
	readonly plain: SafetensorsDtype | undefined;
}

const plainType = (name: string, blockBytes: number): GgufTensorType => ({
	name,
	blockElements: 1,
	blockBytes,
	plain: name as SafetensorsDtype,
});
const blockType = (name: string, blockElements: number, blockBytes: number): GgufTensorType => ({
	name,
	blockElements,
	blockBytes,
	plain: undefined,
});

/** ggml's numbers of the types that are read. */
const types: ReadonlyMap<number, GgufTensorType> = new Map([
	[0, plainType('F32', 4)],
	[1, plainType('F16', 2)],
	[2, blockType('Q4_0', 32, 18)],
	[3, blockType('Q4_1', 32, 20)],
	[6, blockType('Q5_0', 32, 22)],
	[7, blockType('Q5_1', 32, 24)],
	[8, blockType('Q8_0', 32, 34)],
	[10, blockType('Q2_K', 256, 84)],
	[11, blockType('Q3_K', 256, 110)],
	[12, blockType('Q4_K', 256, 144)],
	[13, blockType('Q5_K', 256, 176)],
	[14, blockType('Q6_K', 256, 210)],
	[20, blockType('IQ4_NL', 32, 18)],
	[28, plainType('F64', 8)],
	[30, plainType('BF16', 2)],
]);

/** The types that exist besides, by name in what is said of them. */
const otherTypes: ReadonlyMap<number, string> = new Map([
	[9, 'Q8_1'],
	[15, 'Q8_K'],
	[16, 'IQ2_XXS'],
	[17, 'IQ2_XS'],
	[18, 'IQ3_XXS'],
	[19, 'IQ1_S'],
	[21, 'IQ3_S'],
	[22, 'IQ2_S'],
	[23, 'IQ4_XS'],
	[24, 'I8'],
	[25, 'I16'],
	[26, 'I32'],
	[27, 'I64'],
	[29, 'IQ1_M'],
	[34, 'TQ1_0'],
	[35, 'TQ2_0'],
	[39, 'MXFP4'],
]);

/** Throws GGUF_UNSUPPORTED for a type that isn't read, by its name, and GGUF_FORMAT for a number that is none. */
export function tensorType(number: number, place: string): GgufTensorType {
	const type = types.get(number);
	if (type !== undefined) return type;
	const name = otherTypes.get(number);
	if (name === undefined) throw formatError(`its type is ${number}, which is none`, place);
	throw unsupportedError(
		`its type is ${name}; ${[...types.values()].map((known) => known.name).join(', ')} are read`,
		place,
		'Take a file of the same model in one of these types (Q4_K_M, say).',
	);
}
