import { inputError } from '../../errors.ts';
import { quoteName } from '../json.ts';
import { bytesPerElement } from '../safetensors/dtypes.ts';
import type { WeightInfo, WeightSource } from '../weight-source.ts';
import { type GgufArchitecture, huggingFaceName } from './architecture.ts';
import { formatError } from './gguf-errors.ts';
import { architectureOf } from './model-config.ts';
import { type GgufFile, rowsOf } from './reader.ts';

/**
 * The tensors of a file under Hugging Face's names and in its order of rows. Blocks of codes are read as the float32 values that they
 * stand for; a tensor that the architecture doesn't have keeps its name, for whoever compares names to refuse.
 */
export function ggufWeights(file: GgufFile): WeightSource {
	const architecture = architectureOf(file);
	const storedNames = new Map<string, string>();
	for (const name of file.tensors.keys()) {
		if (name === 'rope_freqs.weight') continue; // read into the config
		const own = huggingFaceName(architecture, name) ?? name;
		const other = storedNames.get(own);
		if (other !== undefined)
			throw formatError(`${quoteName(name)} is the tensor ${quoteName(other)} again`, file.path);
		storedNames.set(own, name);
	}
	const tensorOf = (name: string): StoredTensor => {
		const stored = storedNames.get(name);
		if (stored !== undefined) return storedTensor(architecture, file, stored);
		throw inputError('GGUF_NAME', `there is no tensor ${quoteName(name)}`, { place: file.path });
	};
	return {
		place: file.path,
		names: [...storedNames.keys()],
		info(name) {
			const stored = storedNames.get(name);
			return stored === undefined ? undefined : infoOf(file, stored);
		},
		read: (name) => readWhole(file, tensorOf(name)),
		readPart(name, byteOffset, byteLength) {
			const tensor = tensorOf(name);
			if (byteOffset < 0 || byteLength < 0 || byteOffset + byteLength > tensor.rows * tensor.rowBytes) {
				throw new RangeError(
					`bytes ${byteOffset} to ${byteOffset + byteLength} are not in ${quoteName(name)}`,
				);
			}
			return readPart(file, tensor, byteOffset, byteLength);
		},
		close: file.close,
	};
}

interface StoredTensor {
	readonly name: string;
	/** Of the file; a vector is one. */
	readonly storedRows: number;
	/** What has an order: rows of a matrix, elements of a vector. */
	readonly rows: number;
	/** Of the values as they are read. */
	readonly rowBytes: number;
	/** Where the file has a row; undefined where it has it at its own place. */
	readonly order: ((row: number) => number) | undefined;
}

function infoOf(file: GgufFile, name: string): WeightInfo {
	const { type, shape, byteLength } = file.tensors.get(name)!;
	const dtype = type.plain ?? 'F32';
	const elements = shape.reduce((product, size) => product * size, 1);
	const stored = type.plain === undefined ? { stored: { type: type.name, byteLength } } : {};
	return { dtype, shape, byteLength: elements * bytesPerElement(dtype), ...stored };
}

function storedTensor(architecture: GgufArchitecture, file: GgufFile, name: string): StoredTensor {
	const { shape, byteLength } = infoOf(file, name);
	const storedRows = rowsOf({ shape });
	const rows = shape.length === 1 ? shape[0]! : storedRows;
	return {
		name,
		storedRows,
		rows,
		rowBytes: byteLength / rows,
		order: rowOrder(architecture, file, name, rows),
	};
}

/**
 * llama.cpp turns neighbouring rows of a head, where transformers turns row i with row i + D/2: q and k of Llama are stored so that rows
 * 2i and 2i + 1 of a head [D, H] are its rows i and i + D/2.
 */
function rowOrder(
	{ interleavedHeads, name: architecture }: GgufArchitecture,
	{ metadata }: GgufFile,
	name: string,
	rows: number,
): StoredTensor['order'] {
	const [, matrix] = /\.attn_([qk])\.(?:weight|bias)$/.exec(name) ?? [];
	if (!interleavedHeads || matrix === undefined) return undefined;
	const count = (key: string) => metadata.get(`${architecture}.attention.${key}`);
	const heads = (matrix === 'k' ? count('head_count_kv') : undefined) ?? count('head_count');
	const size = rows / Number(heads);
	if (!Number.isInteger(size / 2)) return undefined; // shapes that fit no head are refused where they are compared with the config
	return (row) => interleavedRow(row, size);
}

/** Where the file has row `row` of heads of `size` rows each. */
export function interleavedRow(row: number, size: number): number {
	const [head, inHead] = [Math.floor(row / size), row % size];
	return head * size + ((2 * inHead) % size) + (inHead < size / 2 ? 0 : 1);
}

function readWhole(
	file: GgufFile,
	{ name, storedRows, rowBytes, order }: StoredTensor,
): Uint8Array<ArrayBuffer> {
	const stored = file.readRows(name, 0, storedRows);
	return order === undefined ? stored : reordered(stored, rowBytes, order);
}

function reordered(
	stored: Uint8Array<ArrayBuffer>,
	rowBytes: number,
	order: (row: number) => number,
): Uint8Array<ArrayBuffer> {
	const bytes = new Uint8Array(stored.length);
	for (let row = 0; row * rowBytes < stored.length; row++) {
		const from = order(row) * rowBytes;
		bytes.set(stored.subarray(from, from + rowBytes), row * rowBytes);
	}
	return bytes;
}

/** Reads whole rows, as few as the part needs; a vector is read whole. */
function readPart(
	file: GgufFile,
	tensor: StoredTensor,
	byteOffset: number,
	byteLength: number,
): Uint8Array<ArrayBuffer> {
	const { name, storedRows, rows, rowBytes, order } = tensor;
	const end = byteOffset + byteLength;
	if (storedRows !== rows) return readWhole(file, tensor).slice(byteOffset, end);
	const first = Math.floor(byteOffset / rowBytes);
	const last = Math.max(first, Math.ceil(end / rowBytes));
	const bytes = new Uint8Array((last - first) * rowBytes);
	for (let row = first; row < last; row++) {
		const stored = order?.(row) ?? row;
		bytes.set(file.readRows(name, stored, stored + 1), (row - first) * rowBytes);
	}
	return bytes.slice(byteOffset - first * rowBytes, end - first * rowBytes);
}
