import type { SafetensorsEntry } from '../formats/safetensors/writer.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { blockCount, blockSize } from './blockwise.ts';
import { type DoubleQuantization, nestedBlockSize, restoreAbsmax } from './double-quantization.ts';
import { type FourBitType, fourBitCodebook, type QuantizedMatrix4, type ValueType } from './four-bit.ts';
import {
	entry,
	type QuantState,
	readExactly,
	readFiniteFloats,
	readPacked,
	readQuantState,
	stateEntry,
	storedError,
} from './stored-tensors.ts';

/**
 * The tensors in which bitsandbytes stores a 4-bit matrix `<name>` (`….weight`) of n elements in b = ceil(n / 64) blocks:
 *
 * | tensor | type | holds |
 * | --- | --- | --- |
 * | `<name>` | U8 [ceil(n / 2), 1] | two codes a byte; read in any other type of as many bytes too |
 * | `<name>.absmax` | F32 [b], or U8 [b] | absmax, or its codes with double quantisation |
 * | `<name>.quant_map` | F32 [16] | the codebook |
 * | `<name>.nested_absmax` | F32 [ceil(b / 256)] | only with double quantisation, as the next |
 * | `<name>.nested_quant_map` | F32 [256] | the map of the absmax codes |
 * | `<name>.quant_state.bitsandbytes__nf4` or `__fp4` | U8 | JSON: shape, dtype, block sizes, nested offset |
 */
export function fourBitEntries(name: string, matrix: QuantizedMatrix4): SafetensorsEntry[] {
	const { double, packed, shape, type } = matrix;
	const nested =
		double === undefined
			? {}
			: { nested_blocksize: nestedBlockSize, nested_dtype: 'float32', nested_offset: double.offset };
	const fields = { quant_type: type, blocksize: blockSize, dtype: matrix.valueType, shape, ...nested };
	const nestedTensors =
		double === undefined
			? []
			: [entry(`${name}.nested_absmax`, double.nestedAbsmax), entry(`${name}.nested_quant_map`, double.map)];
	return [
		entry(name, packed, [packed.length, 1]),
		entry(`${name}.absmax`, double === undefined ? matrix.absmax : double.codes),
		entry(`${name}.quant_map`, fourBitCodebook(type)),
		...nestedTensors,
		stateEntry(`${name}.quant_state.bitsandbytes__${type}`, fields),
	];
}

/**
 * Reads a 4-bit matrix back. Block sizes other than bitsandbytes' defaults (64 and 256) are refused, and so is a codebook other
 * than the type's own (its kernels use that one whatever the file says). Throws `QUANTIZED_TENSOR_MISSING`,
 * `QUANTIZED_TENSOR_SIZE`, `QUANTIZED_TENSOR_VALUE`, `QUANT_STATE`.
 */
export function readFourBit(source: WeightSource, name: string, type: FourBitType): QuantizedMatrix4 {
	const state = readQuantState(source, `${name}.quant_state.bitsandbytes__${type}`, type);
	const { shape } = state;
	const valueType: ValueType = state.oneOf('dtype', ['float32', 'bfloat16', 'float16']);
	state.oneOf('blocksize', [blockSize]);
	const length = shape[0] * shape[1];
	const blocks = blockCount(length);
	const packed = readPacked(source, name, Math.ceil(length / 2));
	checkCodebook(source, `${name}.quant_map`, fourBitCodebook(type));
	const matrix = { type, shape, blockSize, valueType, packed } as const;
	if (!state.has('nested_blocksize')) {
		return { ...matrix, absmax: readFiniteFloats(source, `${name}.absmax`, blocks) };
	}
	const double = readDouble(source, name, state, blocks);
	return { ...matrix, absmax: restoreAbsmax(double), double };
}

function readDouble(
	source: WeightSource,
	name: string,
	state: QuantState,
	blocks: number,
): DoubleQuantization {
	state.oneOf('nested_blocksize', [nestedBlockSize]);
	state.oneOf('nested_dtype', ['float32']);
	const offset = state.float32('nested_offset');
	const codes = readExactly(source, `${name}.absmax`, 'U8', blocks);
	const nestedBlocks = blockCount(blocks, nestedBlockSize);
	const nestedAbsmax = readFiniteFloats(source, `${name}.nested_absmax`, nestedBlocks);
	const map = readFiniteFloats(source, `${name}.nested_quant_map`, 256);
	return { offset, codes, nestedAbsmax, nestedBlockSize, map };
}

function checkCodebook(source: WeightSource, name: string, expected: Float32Array): void {
	const found = readFiniteFloats(source, name, expected.length);
	const different = found.findIndex((value, code) => Math.abs(value - expected[code]!) > 1e-6);
	if (different < 0) return;
	throw storedError(
		source,
		name,
		'QUANTIZED_TENSOR_VALUE',
		`code ${different} of this type stands for ${expected[different]}, but the file has ${found[different]}`,
	);
}
