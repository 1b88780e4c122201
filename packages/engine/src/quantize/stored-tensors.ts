import { inputError, type VulntuneError } from '../errors.ts';
import { toFloat32 } from '../formats/floats.ts';
import { describeJson, ownValue, parseJsonObject, quoteName } from '../formats/json.ts';
import type { SafetensorsDtype } from '../formats/safetensors/dtypes.ts';
import type { SafetensorsEntry } from '../formats/safetensors/writer.ts';
import type { WeightInfo, WeightSource } from '../formats/weight-source.ts';

const remedy = 'The checkpoint is damaged: download it, or quantise the model, again.';
/** A quant state has about 170 bytes. */
const maxStateBytes = 65_536;

/** An error about a stored quantised matrix: `place` names the checkpoint and the tensor. */
export function storedError(
	source: WeightSource,
	name: string,
	code: string,
	message: string,
): VulntuneError {
	return inputError(code, message, { place: `${source.place}: ${name}`, remedy });
}

/**
 * The bytes of a tensor that must have this type and number of elements, checked before anything is read. Throws
 * `QUANTIZED_TENSOR_MISSING`, `QUANTIZED_TENSOR_SIZE`.
 */
export function readExactly(
	source: WeightSource,
	name: string,
	dtype: SafetensorsDtype,
	count: number,
): Uint8Array<ArrayBuffer> {
	const info = infoOf(source, name);
	const expectedBytes = dtype === 'F32' ? 4 * count : count;
	if (info.dtype !== dtype || info.byteLength !== expectedBytes) {
		const found = `${info.dtype} of shape [${info.shape.join(', ')}]`;
		throw storedError(
			source,
			name,
			'QUANTIZED_TENSOR_SIZE',
			`${count} elements of ${dtype} are expected, found ${found}`,
		);
	}
	return source.read(name);
}

/** The bytes of packed codes, whatever type they are stored under; throws as `readExactly` does. */
export function readPacked(source: WeightSource, name: string, bytes: number): Uint8Array<ArrayBuffer> {
	const { byteLength, dtype } = infoOf(source, name);
	if (byteLength === bytes) return source.read(name);
	const message = `${bytes} bytes of codes are expected, found ${byteLength} (stored as ${dtype})`;
	throw storedError(source, name, 'QUANTIZED_TENSOR_SIZE', message);
}

function infoOf(source: WeightSource, name: string): WeightInfo {
	const info = source.info(name);
	if (info !== undefined) return info;
	throw storedError(source, name, 'QUANTIZED_TENSOR_MISSING', 'the quantised matrix lacks this tensor');
}

/** Float32 values, all finite; also throws `QUANTIZED_TENSOR_VALUE`. */
export function readFiniteFloats(source: WeightSource, name: string, count: number): Float32Array {
	const values = toFloat32(readExactly(source, name, 'F32', count), 'F32');
	const bad = values.findIndex((value) => !Number.isFinite(value));
	if (bad < 0) return values;
	throw storedError(
		source,
		name,
		'QUANTIZED_TENSOR_VALUE',
		`finite numbers are expected, but element ${bad} is ${values[bad]}`,
	);
}

/** What the JSON in a quant state says of every type. */
export interface QuantState {
	readonly shape: readonly [number, number];
	has(field: string): boolean;
	/** Throws `QUANT_STATE` unless the field has one of these values. */
	oneOf<Value extends string | number>(field: string, allowed: readonly Value[]): Value;
	/** A number rounded to float32; throws `QUANT_STATE` unless it is finite. */
	float32(field: string): number;
}

/** Reads a quant state: JSON bytes with `quant_type` as in the tensor's name, and a `shape` of two. Throws `QUANT_STATE`. */
export function readQuantState(source: WeightSource, name: string, type: string): QuantState {
	const bytes = source.info(name)?.byteLength ?? 0;
	if (bytes > maxStateBytes) {
		throw storedError(source, name, 'QUANT_STATE', `${bytes} bytes are too many for a quant state`);
	}
	const text = readExactly(source, name, 'U8', bytes);
	const state = parseJsonObject(text, { code: 'QUANT_STATE', place: `${source.place}: ${name}`, remedy });
	const wrongField = (field: string, expected: string) => {
		const found = describeJson(ownValue(state, field));
		const message = `${quoteName(field)} must be ${expected}, found ${found}`;
		return storedError(source, name, 'QUANT_STATE', message);
	};
	const oneOf = <Value extends string | number>(field: string, allowed: readonly Value[]): Value => {
		const value = allowed.find((candidate) => candidate === ownValue(state, field));
		if (value !== undefined) return value;
		throw wrongField(field, allowed.map((candidate) => describeJson(candidate)).join(' or '));
	};
	const float32 = (field: string): number => {
		const value = ownValue(state, field);
		if (typeof value === 'number' && Number.isFinite(Math.fround(value))) return Math.fround(value);
		throw wrongField(field, 'a finite number');
	};
	oneOf('quant_type', [type]);
	const shape = ownValue(state, 'shape');
	if (!isMatrixShape(shape)) throw wrongField('shape', 'the rows and columns of a matrix');
	return { shape, has: (field) => ownValue(state, field) !== undefined, oneOf, float32 };
}

function isMatrixShape(value: unknown): value is [number, number] {
	return (
		Array.isArray(value) &&
		value.length === 2 &&
		value.every((size) => Number.isSafeInteger(size) && size > 0) &&
		Number.isSafeInteger(value[0] * value[1])
	);
}

/** A one-dimensional tensor to be written, or one of another shape with the same elements. */
export function entry(
	name: string,
	values: Float32Array | Uint8Array | Int8Array,
	shape: readonly number[] = [values.length],
): SafetensorsEntry {
	const dtype = values instanceof Float32Array ? 'F32' : values instanceof Int8Array ? 'I8' : 'U8';
	return { name, dtype, shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** A quant state, spaced as Python's `json` does: a checkpoint read and written again has the same bytes. */
export function stateEntry(
	name: string,
	fields: Readonly<Record<string, string | number | readonly number[]>>,
): SafetensorsEntry {
	const text = Object.entries(fields).map(([key, value]) => {
		return `"${key}": ${Array.isArray(value) ? `[${value.join(', ')}]` : JSON.stringify(value)}`;
	});
	return entry(name, new TextEncoder().encode(`{${text.join(', ')}}`));
}
