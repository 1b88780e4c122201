import { VulntuneError } from '../../errors.ts';
import { writeFileAtomically } from '../files.ts';
import { describeJson, quoteName } from '../json.ts';
import { bytesPerElement, elementCount, type SafetensorsDtype } from './dtypes.ts';
import { lengthFieldBytes, maxHeaderBytes } from './header.ts';

/** What a file says of a tensor. */
export interface TensorDescription {
	readonly name: string;
	readonly dtype: SafetensorsDtype;
	readonly shape: readonly number[];
}

/** A tensor to be written. */
export interface SafetensorsEntry extends TensorDescription {
	/**
	 * Its bytes (little-endian, row-major); as a function, they are asked for once, when it is their turn, and
	 * let go before the next tensor.
	 */
	readonly data: Uint8Array | (() => Uint8Array);
}

/** So that a reader that maps the file finds every element at an address divisible by its size. */
const alignmentBytes = 8;

/**
 * Writes a safetensors file, whole or not at all (see `writeFileAtomically`). Tensors with wide elements come
 * first, then by name: the same tensors give the same bytes in whatever order they come. No more than one
 * tensor that is given as a function is in memory. Throws `SAFETENSORS_ENTRY` for entries that no file can
 * hold, `DISK_FULL` and its like (kind `resources`) where the disk refuses.
 */
export function writeSafetensors(
	path: string,
	entries: Iterable<SafetensorsEntry>,
	metadata: Readonly<Record<string, string>> = {},
): void {
	const sorted = [...entries].sort(byAlignmentThenName);
	const header = encodeHeader(sorted, metadata, path);
	writeFileAtomically(path, (append) => {
		append(header);
		for (const entry of sorted) append(bytesOf(entry, path));
	});
}

/** The bytes that an entry takes in a file. */
export function entryBytes(entry: TensorDescription, place: string): number {
	const isValid = entry.shape.every((dimension) => Number.isSafeInteger(dimension) && dimension >= 0);
	const elements = isValid ? elementCount(entry.shape) : undefined;
	if (elements === undefined) {
		throw entryError(entry, `the shape ${describeJson(entry.shape)} is not possible`, place);
	}
	return elements * bytesPerElement(entry.dtype);
}

/** The order of tensors in a file. */
export function byAlignmentThenName(a: TensorDescription, b: TensorDescription): number {
	const difference = bytesPerElement(b.dtype) - bytesPerElement(a.dtype);
	return difference !== 0 ? difference : compareText(a.name, b.name);
}

/** By UTF-16 code unit: the same everywhere, which an order by locale would not be. */
function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}

/** The header of tensors that lie one after the other in this order, with its length before it. */
export function encodeHeader(
	entries: readonly TensorDescription[],
	metadata: Readonly<Record<string, string>>,
	place: string,
): Uint8Array {
	// Built by hand because an object would lose a tensor named `__proto__` and put numeric names first.
	const parts: string[] = [];
	if (Object.keys(metadata).length > 0) {
		const pairs = Object.entries(metadata).sort(([a], [b]) => compareText(a, b));
		const texts = pairs.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
		parts.push(`"__metadata__":{${texts.join(',')}}`);
	}
	const names = new Set(['__metadata__']);
	let end = 0;
	for (const entry of entries) {
		if (names.has(entry.name)) throw entryError(entry, 'the name is taken', place);
		if (!entry.name.isWellFormed()) throw entryError(entry, 'the name is not valid Unicode', place);
		names.add(entry.name);
		const begin = end;
		end += entryBytes(entry, place);
		parts.push(
			`${JSON.stringify(entry.name)}:{"dtype":"${entry.dtype}","shape":[${entry.shape.join(',')}],` +
				`"data_offsets":[${begin},${end}]}`,
		);
	}
	const json = Buffer.from(`{${parts.join(',')}}`);
	const length = Math.ceil(json.length / alignmentBytes) * alignmentBytes;
	if (length > maxHeaderBytes) {
		throw new VulntuneError({
			code: 'SAFETENSORS_ENTRY',
			kind: 'runtime',
			message: `the header would be ${length} bytes long, the limit is ${maxHeaderBytes}`,
			place,
		});
	}
	const header = Buffer.alloc(lengthFieldBytes + length, ' ');
	header.writeBigUInt64LE(BigInt(length));
	json.copy(header, lengthFieldBytes);
	return header;
}

function bytesOf(entry: SafetensorsEntry, place: string): Uint8Array {
	const bytes = typeof entry.data === 'function' ? entry.data() : entry.data;
	const expected = entryBytes(entry, place);
	if (bytes.byteLength !== expected) {
		throw entryError(entry, `${expected} bytes are expected, found ${bytes.byteLength}`, place);
	}
	return bytes;
}

export function entryError(entry: TensorDescription, message: string, place: string): VulntuneError {
	return new VulntuneError({
		code: 'SAFETENSORS_ENTRY',
		kind: 'runtime',
		message,
		place: `${place}: tensor ${quoteName(entry.name)}`,
	});
}
