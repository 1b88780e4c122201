import { writeFileAtomically } from '../files.ts';
import type { GgufValue } from './metadata.ts';

/** A value to be written; a number that isn't whole, or is marked, becomes a float32, a whole one a uint32. */
export type GgufWritten = GgufValue | { readonly float32: number };

/** A tensor to be written: type by ggml's number, dimensions in the file's order (columns first). */
export interface GgufEntry {
	readonly name: string;
	readonly type: number;
	readonly dimensions: readonly number[];
	readonly byteLength: number;
	/** Its bytes, asked for once, when it is their turn. */
	readonly data: () => Uint8Array;
}

const alignmentBytes = 32;

/** Writes a GGUF file of version 3, whole or not at all; no more than one tensor is in memory. */
export function writeGguf(
	file: string,
	metadata: Readonly<Record<string, GgufWritten>>,
	entries: readonly GgufEntry[],
): void {
	writeFileAtomically(file, (append) => {
		append(ggufHeader(metadata, entries));
		for (const entry of entries) {
			const bytes = entry.data();
			if (bytes.byteLength !== entry.byteLength) {
				throw new RangeError(
					`${entry.name} has ${bytes.byteLength} bytes where its header says ${entry.byteLength}`,
				);
			}
			append(bytes);
			append(padding(bytes.byteLength, alignmentBytes));
		}
	});
}

/** All that lies before the tensors, up to where the first begins. */
export function ggufHeader(
	metadata: Readonly<Record<string, GgufWritten>>,
	entries: readonly Omit<GgufEntry, 'data'>[],
	alignment = alignmentBytes,
): Buffer {
	let offset = 0;
	const table = entries.map(({ name, type, dimensions, byteLength }) => {
		const entry = [
			text(name),
			uint32(dimensions.length),
			...dimensions.map(uint64),
			uint32(type),
			uint64(offset),
		];
		offset += byteLength + padding(byteLength, alignment).length;
		return Buffer.concat(entry);
	});
	const header = Buffer.concat([
		Buffer.from('GGUF'),
		uint32(3),
		uint64(entries.length),
		uint64(Object.keys(metadata).length),
		...Object.entries(metadata).map(([key, value]) => Buffer.concat([text(key), typed(value)])),
		...table,
	]);
	return Buffer.concat([header, padding(header.length, alignment)]);
}

/** Zeros up to the next multiple of the alignment. */
export function padding(length: number, alignment: number): Buffer {
	return Buffer.alloc((alignment - (length % alignment)) % alignment);
}

function typed(value: GgufWritten): Buffer {
	if (typeof value === 'string') return Buffer.concat([uint32(8), text(value)]);
	if (typeof value === 'boolean') return Buffer.concat([uint32(7), Buffer.of(Number(value))]);
	if (typeof value === 'bigint') return Buffer.concat([uint32(10), uint64(value)]);
	if (typeof value === 'number') {
		return Buffer.concat(Number.isInteger(value) ? [uint32(4), uint32(value)] : [uint32(6), float32(value)]);
	}
	if (Array.isArray(value)) {
		return Buffer.concat([uint32(9), uint32(8), uint64(value.length), ...value.map((item) => text(item))]);
	}
	if ('float32' in value) return Buffer.concat([uint32(6), float32(value.float32)]);
	const numbers = value as Exclude<typeof value, readonly string[]>;
	const type = [
		Uint8Array,
		Int8Array,
		Uint16Array,
		Int16Array,
		Uint32Array,
		Int32Array,
		Float32Array,
	].findIndex((kind) => numbers instanceof kind);
	const bytes = Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);
	return Buffer.concat([uint32(9), uint32(type), uint64(numbers.length), bytes]);
}

function text(value: string): Buffer {
	const bytes = Buffer.from(value);
	return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32LE(value);
	return bytes;
}

function float32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeFloatLE(value);
	return bytes;
}

function uint64(value: number | bigint): Buffer {
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64LE(BigInt(value));
	return bytes;
}
