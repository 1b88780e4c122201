import type { GgufValue } from '../metadata.ts';
import { ggufHeader, padding } from '../writer.ts';

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
	const entries = tensors.map((tensor) => ({ ...tensor, byteLength: tensor.data.length }));
	return Buffer.concat([
		ggufHeader(metadata, entries, alignment),
		...tensors.flatMap(({ data }) => [data, padding(data.length, alignment)]),
	]);
}
