import { storedLayout } from '../formats/huggingface/stored-layouts.ts';
import type { SafetensorsEntry } from '../formats/safetensors/writer.ts';
import type { WeightSource } from '../formats/weight-source.ts';
import { fourBitEntries, readFourBit } from './bitsandbytes-tensors.ts';
import type { QuantizedMatrix } from './matrix.ts';
import { int8Entries, quantileEntries, readInt8, readQuantile } from './own-tensors.ts';
import { storedError } from './stored-tensors.ts';
import { isQuantizedType, type QuantizedType } from './types.ts';

/**
 * The tensors that store a quantised matrix under `name` (`….weight`): bitsandbytes' layout for nf4 and fp4 (`fourBitEntries`), ours for
 * the rest (`int8Entries`, `quantileEntries`).
 */
export function quantizedMatrixEntries(name: string, matrix: QuantizedMatrix): SafetensorsEntry[] {
	switch (matrix.type) {
		case 'nf4':
		case 'fp4':
			return fourBitEntries(name, matrix);
		case 'int8':
			return int8Entries(name, matrix);
		default:
			return quantileEntries(name, matrix);
	}
}

/**
 * The matrix stored quantised under `name`; undefined where the tensor is a plain floating-point one. Sizes are checked against
 * the quant state before anything is read, values and codes before anything is looked up. Throws `QUANTIZED_TENSOR_MISSING`,
 * `QUANTIZED_TENSOR_SIZE`, `QUANTIZED_TENSOR_VALUE`, `QUANT_STATE`, and `QUANT_TYPE_UNKNOWN` for integers without a quant state
 * that names a type of ours.
 */
export function readQuantizedMatrix(source: WeightSource, name: string): QuantizedMatrix | undefined {
	const dtype = source.info(name)?.dtype;
	const isCodes = dtype === 'U8' || dtype === 'I8' || storedLayout(source, name) !== undefined;
	if (!isCodes) return undefined;
	const type = storedType(source, name);
	if (type === 'nf4' || type === 'fp4') return readFourBit(source, name, type);
	if (type === 'int8') return readInt8(source, name);
	return readQuantile(source, name, type);
}

function storedType(source: WeightSource, name: string): QuantizedType {
	const prefix = `${name}.quant_state.`;
	const states = source.names.filter((candidate) => candidate.startsWith(prefix));
	const [family, type] = (states[0] ?? '').slice(prefix.length).split('__');
	const isFourBit = type === 'nf4' || type === 'fp4';
	const expectedFamily = isFourBit ? 'bitsandbytes' : 'vulntune';
	if (states.length === 1 && isQuantizedType(type) && family === expectedFamily) return type;
	const found = states.length === 0 ? 'none' : states.map((state) => state.slice(prefix.length)).join(', ');
	throw storedError(
		source,
		name,
		'QUANT_TYPE_UNKNOWN',
		`one quant state of a known type (such as bitsandbytes__nf4) is expected beside integer weights, found ${found.slice(0, 200)}`,
	);
}
