import { quoteName } from '../json.ts';
import { elementCount } from '../safetensors/dtypes.ts';
import type { Cursor } from './cursor.ts';
import { formatError, truncatedError } from './gguf-errors.ts';
import { type GgufMetadata, readMetadata, readPairCount } from './metadata.ts';
import { type GgufTensorType, tensorType } from './tensor-types.ts';

export interface GgufTensor {
	readonly type: GgufTensorType;
	/** As everywhere here: rows before columns. The file has them the other way round. */
	readonly shape: readonly number[];
	/** From the start of the file. */
	readonly byteOffset: number;
	readonly byteLength: number;
}

export interface GgufHeader {
	readonly metadata: GgufMetadata;
	/** In the order of the header. */
	readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const magic = 'GGUF';
const maxDimensions = 4;
const defaultAlignment = 32;
/** A name, the number of dimensions, one of them, type and offset. */
const leastTensorBytes = 8 + 4 + 8 + 4 + 8;

/**
 * Reads a header and checks all that the format promises: keys and names that occur once, types that exist, rows of whole blocks, and
 * tensors that follow each other, each at the next multiple of the alignment, to the end of the file. Allocates nothing that
 * depends on a size that isn't checked against the file.
 */
export function readHeader(cursor: Cursor): GgufHeader {
	const { place } = cursor;
	const beginning = cursor.take(4, 'the word at its beginning');
	const word = String.fromCharCode(...new Uint8Array(beginning.buffer, beginning.byteOffset, 4));
	if (word !== magic) throw formatError(`it begins with ${quoteName(word)} instead of ${magic}`, place);
	const version = cursor.uint32('the version');
	if (version !== 2 && version !== 3) {
		throw formatError(`version 2 or 3 of the format is expected, found ${version}`, place);
	}
	const tensorCount = cursor.count('the number of tensors', leastTensorBytes);
	const metadata = readMetadata(cursor, readPairCount(cursor));
	const stored = readTable(cursor, tensorCount);
	return { metadata, tensors: placed(stored, cursor, alignmentOf(metadata, place)) };
}

interface StoredTensor {
	readonly type: GgufTensorType;
	readonly shape: readonly number[];
	/** From the start of the data. */
	readonly offset: bigint;
	readonly byteLength: number;
}

function readTable(cursor: Cursor, count: number): ReadonlyMap<string, StoredTensor> {
	const tensors = new Map<string, StoredTensor>();
	for (let index = 0; index < count; index++) {
		const name = cursor.text(`the name of tensor ${index}`);
		if (tensors.has(name)) throw formatError(`there are two tensors ${quoteName(name)}`, cursor.place);
		tensors.set(name, readTensor(cursor, `${cursor.place}: tensor ${quoteName(name)}`));
	}
	return tensors;
}

function readTensor(cursor: Cursor, place: string): StoredTensor {
	const dimensions = cursor.uint32('the number of dimensions');
	if (dimensions < 1 || dimensions > maxDimensions) {
		throw formatError(`it has ${dimensions} dimensions; 1 to ${maxDimensions} are expected`, place);
	}
	const sizes = Array.from({ length: dimensions }, () => {
		const size = cursor.take(8, 'a dimension').getBigUint64(0, true);
		if (size < 1n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
			throw formatError(`a dimension is ${size}; 1 to 2^53 - 1 are expected`, place);
		}
		return Number(size);
	});
	const type = tensorType(cursor.uint32('the type of a tensor'), place);
	const offset = cursor.take(8, 'the offset of a tensor').getBigUint64(0, true);
	const [rowLength] = sizes as [number];
	if (rowLength % type.blockElements !== 0) {
		throw formatError(`rows of ${rowLength} are no whole blocks of ${type.name}`, place);
	}
	const elements = elementCount(sizes);
	const byteLength = ((elements ?? Number.POSITIVE_INFINITY) / type.blockElements) * type.blockBytes;
	if (byteLength > cursor.remaining) {
		throw truncatedError(`it takes ${byteLength} bytes, more than the rest of the file`, place);
	}
	return { type, shape: sizes.toReversed(), offset, byteLength };
}

function alignmentOf(metadata: GgufMetadata, place: string): number {
	const alignment = metadata.get('general.alignment') ?? defaultAlignment;
	const isPowerOfTwo = typeof alignment === 'number' && Number.isInteger(Math.log2(alignment));
	if (isPowerOfTwo && alignment >= 1) return alignment;
	throw formatError('general.alignment must be a power of two', place);
}

function placed(
	stored: ReadonlyMap<string, StoredTensor>,
	cursor: Cursor,
	alignment: number,
): ReadonlyMap<string, GgufTensor> {
	const { place, offset: headerBytes, remaining } = cursor;
	const aligned = (offset: number) => Math.ceil(offset / alignment) * alignment;
	const [dataStart, fileBytes] = [aligned(headerBytes), headerBytes + remaining];
	const inFile = [...stored].sort(([, a], [, b]) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0));
	const starts = new Map<string, number>();
	let end = dataStart;
	for (const [name, { offset, byteLength }] of inFile) {
		const start = aligned(end);
		if (offset !== BigInt(start - dataStart)) {
			throw formatError(
				`tensor ${quoteName(name)} must begin at byte ${start - dataStart} of the data, found ${offset}`,
				place,
			);
		}
		end = start + byteLength;
		if (end > fileBytes) {
			throw truncatedError(`tensor ${quoteName(name)} ends at byte ${end}, the file has ${fileBytes}`, place);
		}
		starts.set(name, start);
	}
	if (fileBytes > aligned(end)) {
		throw formatError(`${fileBytes - end} bytes after the last tensor belong to none`, place);
	}
	return new Map(
		[...stored].map(([name, { type, shape, byteLength }]) => [
			name,
			{ type, shape, byteLength, byteOffset: starts.get(name)! },
		]),
	);
}
