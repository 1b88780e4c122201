import type { GgufValue } from '../metadata.ts';

/** A tensor of a test's file: type by ggml's number, dimensions in the file's order (columns first), its bytes. */
export interface TestTensor {
	readonly name: string;
	readonly type: number;
	readonly dimensions: readonly number[];
	readonly data: Uint8Array;
}

/** Test helper: the bytes of a GGUF file of version 3. Whole numbers are written as uint32, others as float32. */
export function ggufBytes(
	metadata: Readonly<Record<string, GgufValue>>,
	tensors: readonly TestTensor[],
): Buffer {
	const alignment = Number(metadata['general.alignment'] ?? 32);
	const padding = (length: number) => Buffer.alloc((alignment - (length % alignment)) % alignment);
	let offset = 0;
	const table = tensors.map(({ name, type, dimensions, data }) => {
		const entry = [
			text(name),
			uint32(dimensions.length),
			...dimensions.map(uint64),
			uint32(type),
			uint64(offset),
		];
		offset += data.length + padding(data.length).length;
		return Buffer.concat(entry);
	});
	const header = Buffer.concat([
		Buffer.from('GGUF'),
		uint32(3),
		uint64(tensors.length),
		uint64(Object.keys(metadata).length),
		...Object.entries(metadata).map(([key, value]) => Buffer.concat([text(key), typed(value)])),
		...table,
	]);
	return Buffer.concat([
		header,
		padding(header.length),
		...tensors.flatMap(({ data }) => [data, padding(data.length)]),
	]);
}

function typed(value: GgufValue): Buffer {
	if (typeof value === 'string') return Buffer.concat([uint32(8), text(value)]);
	if (typeof value === 'boolean') return Buffer.concat([uint32(7), Buffer.of(Number(value))]);
	if (typeof value === 'bigint') return Buffer.concat([uint32(10), uint64(value)]);
	if (typeof value === 'number') {
		return Buffer.concat(Number.isInteger(value) ? [uint32(4), uint32(value)] : [uint32(6), float32(value)]);
	}
	if (Array.isArray(value)) {
		return Buffer.concat([uint32(9), uint32(8), uint64(value.length), ...value.map((item) => text(item))]);
	}
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
