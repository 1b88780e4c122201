import { inputError, type VulntuneError } from '../../errors.ts';
import { describeJson, isJsonObject, ownValue, parseJsonObject, quoteName } from '../json.ts';
import { bytesPerElement, elementCount, isSafetensorsDtype, type SafetensorsDtype } from './dtypes.ts';

/** The file begins with the header's length: a 64-bit little-endian integer. */
export const lengthFieldBytes = 8;
/** Longer headers are refused before anything is allocated. */
export const maxHeaderBytes = 25_000_000;

const downloadAgain = 'The file is damaged or not a safetensors file: download or export it again.';

export interface SafetensorsTensor {
	readonly dtype: SafetensorsDtype;
	/** Empty for a scalar. */
	readonly shape: readonly number[];
	/** From the start of the file. */
	readonly byteOffset: number;
	readonly byteLength: number;
}

export interface SafetensorsHeader {
	/** In the order of the header. */
	readonly tensors: ReadonlyMap<string, SafetensorsTensor>;
	/** The strings of `__metadata__`; empty where there is none. */
	readonly metadata: ReadonlyMap<string, string>;
}

/** The length of the header, from the first eight bytes of a file of `fileBytes` bytes. */
export function headerLength(field: Uint8Array, fileBytes: number, place: string): number {
	const length = new DataView(field.buffer, field.byteOffset, lengthFieldBytes).getBigUint64(0, true);
	if (length > BigInt(maxHeaderBytes)) {
		throw headerError(
			`the header says that it is ${length} bytes long, the limit is ${maxHeaderBytes}`,
			place,
		);
	}
	if (Number(length) > fileBytes - lengthFieldBytes) {
		throw truncatedError(
			`the header is ${length} bytes long, the file ends after ${fileBytes - lengthFieldBytes} of them`,
			place,
		);
	}
	return Number(length);
}

/**
 * Reads a header and checks everything that the format promises: names that occur once, known types, shapes
 * that fit their bytes, and tensors that cover the `dataBytes` bytes after the header without hole or
 * overlap. Allocates nothing that depends on a size the header claims.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number, place: string): SafetensorsHeader {
	if (bytes[0] !== '{'.charCodeAt(0)) {
		throw headerError('the header does not begin with {', place);
	}
	const dataStart = lengthFieldBytes + bytes.length;
	const json = parseJsonObject(bytes, { code: 'SAFETENSORS_HEADER', place, remedy: downloadAgain });
	const tensors = new Map<string, SafetensorsTensor>();
	let metadata: ReadonlyMap<string, string> = new Map();
	for (const [name, value] of Object.entries(json)) {
		if (name === '__metadata__') metadata = parseMetadata(value, place);
		else tensors.set(name, parseTensor(value, dataStart, `${place}: tensor ${quoteName(name)}`));
	}
	checkLayout(tensors, dataStart, dataBytes, place);
	return { tensors, metadata };
}

function headerError(message: string, place: string): VulntuneError {
	return inputError('SAFETENSORS_HEADER', message, { place, remedy: downloadAgain });
}

export function truncatedError(message: string, place: string): VulntuneError {
	return inputError('SAFETENSORS_TRUNCATED', message, {
		place,
		remedy: 'The file is cut off: copy or download it again.',
	});
}

function tensorError(message: string, place: string): VulntuneError {
	return inputError('SAFETENSORS_TENSOR', message, { place, remedy: downloadAgain });
}

function layoutError(message: string, place: string): VulntuneError {
	return inputError('SAFETENSORS_LAYOUT', message, { place, remedy: downloadAgain });
}

function parseMetadata(value: unknown, place: string): ReadonlyMap<string, string> {
	if (!isJsonObject(value)) {
		throw headerError(`__metadata__ must be an object of strings, found ${describeJson(value)}`, place);
	}
	const metadata = new Map<string, string>();
	for (const [key, text] of Object.entries(value)) {
		if (typeof text !== 'string') {
			throw headerError(
				`__metadata__ must hold strings, found ${describeJson(text)} for ${quoteName(key)}`,
				place,
			);
		}
		metadata.set(key, text);
	}
	return metadata;
}

const fields: readonly string[] = ['dtype', 'shape', 'data_offsets'];

function parseTensor(value: unknown, dataStart: number, place: string): SafetensorsTensor {
	if (!isJsonObject(value)) {
		throw tensorError(
			`an object with dtype, shape and data_offsets is expected, found ${describeJson(value)}`,
			place,
		);
	}
	// A field that the format does not have could change what the bytes mean (a stride, say).
	const unknownField = Object.keys(value).find((field) => !fields.includes(field));
	if (unknownField !== undefined) {
		throw tensorError(`the format has no field ${quoteName(unknownField)}`, place);
	}
	const dtype = ownValue(value, 'dtype');
	if (!isSafetensorsDtype(dtype)) throw tensorError(`the type ${describeJson(dtype)} is not known`, place);
	const shape = parseSizes(ownValue(value, 'shape'), 'shape', place);
	const offsets = parseSizes(ownValue(value, 'data_offsets'), 'data_offsets', place);
	const [begin, end] = offsets;
	if (offsets.length !== 2 || begin === undefined || end === undefined || begin > end) {
		throw tensorError(`data_offsets must be [begin, end], found ${describeJson(offsets)}`, place);
	}
	const elements = elementCount(shape);
	const expected = elements === undefined ? Number.POSITIVE_INFINITY : elements * bytesPerElement(dtype);
	if (expected !== end - begin) {
		throw tensorError(
			`${dtype} of shape ${describeJson(shape)} takes ${expected} bytes, data_offsets span ${end - begin}`,
			place,
		);
	}
	return { dtype, shape, byteOffset: dataStart + begin, byteLength: end - begin };
}

function parseSizes(value: unknown, field: string, place: string): readonly number[] {
	if (!Array.isArray(value)) {
		throw tensorError(`${field} must be a list of integers, found ${describeJson(value)}`, place);
	}
	for (const size of value) {
		if (!Number.isSafeInteger(size) || size < 0 || Object.is(size, -0)) {
			throw tensorError(`${field} must hold integers from 0 to 2^53 - 1, found ${describeJson(size)}`, place);
		}
	}
	return Object.freeze([...value]);
}

function checkLayout(
	tensors: ReadonlyMap<string, SafetensorsTensor>,
	dataStart: number,
	dataBytes: number,
	place: string,
): void {
	const inFile = [...tensors].sort(
		([, a], [, b]) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength,
	);
	let covered = 0;
	for (const [name, { byteOffset, byteLength }] of inFile) {
		const begin = byteOffset - dataStart;
		if (begin !== covered) {
			const what = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
			throw layoutError(
				`tensor ${quoteName(name)} ${what}: it must begin at byte ${covered} of the data, found ${begin}`,
				place,
			);
		}
		covered = begin + byteLength;
		if (covered > dataBytes) {
			throw truncatedError(
				`tensor ${quoteName(name)} ends at byte ${covered} of the data, the file has ${dataBytes}`,
				place,
			);
		}
	}
	if (covered !== dataBytes) {
		throw layoutError(`${dataBytes - covered} bytes after the last tensor belong to none`, place);
	}
}
