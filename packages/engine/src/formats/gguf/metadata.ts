import { quoteName } from '../json.ts';
import type { Cursor } from './cursor.ts';
import { formatError } from './gguf-errors.ts';

/** A list of one type; numbers in an array of their own type, flags as 0 and 1. */
export type GgufList =
	| readonly string[]
	| Uint8Array
	| Int8Array
	| Uint16Array
	| Int16Array
	| Uint32Array
	| Int32Array
	| Float32Array
	| Float64Array
	| BigUint64Array
	| BigInt64Array;

/** A value of the metadata. Whole numbers beyond 2^53 stay BigInts; a float32 is the shortest decimal that rounds to it. */
export type GgufValue = number | bigint | boolean | string | GgufList;

/** Metadata by key, in the order of the file. */
export type GgufMetadata = ReadonlyMap<string, GgufValue>;

/** Of the specification. */
const maxKeyBytes = 65_535;
const leastPairBytes = 13; // the length of a key, the type of its value, one byte of that
const stringType = 8;
const listType = 9;

interface NumberType {
	readonly bytes: number;
	read(view: DataView): number | bigint | boolean;
	list(buffer: ArrayBuffer): Exclude<GgufList, readonly string[]>;
}

/** The value types of the specification but strings and lists. */
const numberTypes: ReadonlyMap<number, NumberType> = new Map<number, NumberType>([
	[0, { bytes: 1, read: (view) => view.getUint8(0), list: (buffer) => new Uint8Array(buffer) }],
	[1, { bytes: 1, read: (view) => view.getInt8(0), list: (buffer) => new Int8Array(buffer) }],
	[2, { bytes: 2, read: (view) => view.getUint16(0, true), list: (buffer) => new Uint16Array(buffer) }],
	[3, { bytes: 2, read: (view) => view.getInt16(0, true), list: (buffer) => new Int16Array(buffer) }],
	[4, { bytes: 4, read: (view) => view.getUint32(0, true), list: (buffer) => new Uint32Array(buffer) }],
	[5, { bytes: 4, read: (view) => view.getInt32(0, true), list: (buffer) => new Int32Array(buffer) }],
	[
		6,
		{
			bytes: 4,
			read: (view) => shortestDecimal(view.getFloat32(0, true)),
			list: (buffer) => new Float32Array(buffer),
		},
	],
	[7, { bytes: 1, read: (view) => view.getUint8(0) !== 0, list: (buffer) => new Uint8Array(buffer) }],
	[
		10,
		{
			bytes: 8,
			read: (view) => plain(view.getBigUint64(0, true)),
			list: (buffer) => new BigUint64Array(buffer),
		},
	],
	[
		11,
		{
			bytes: 8,
			read: (view) => plain(view.getBigInt64(0, true)),
			list: (buffer) => new BigInt64Array(buffer),
		},
	],
	[12, { bytes: 8, read: (view) => view.getFloat64(0, true), list: (buffer) => new Float64Array(buffer) }],
]);

/** Reads `count` pairs of key and value. Throws GGUF_FORMAT for a key that occurs twice, a type that doesn't exist and lists of lists. */
export function readMetadata(cursor: Cursor, count: number): GgufMetadata {
	const metadata = new Map<string, GgufValue>();
	for (let index = 0; index < count; index++) {
		const before = cursor.offset;
		const key = cursor.text(`key ${index} of the metadata`);
		if (key === '' || cursor.offset - before > maxKeyBytes) {
			throw formatError(`key ${index} of the metadata is empty or too long`, cursor.place);
		}
		if (metadata.has(key)) throw formatError(`the key ${quoteName(key)} occurs twice`, cursor.place);
		const what = `the value of ${quoteName(key)}`;
		metadata.set(key, readValue(cursor, cursor.uint32(`the type of ${quoteName(key)}`), what));
	}
	return metadata;
}

/** The number of pairs, from the header. */
export function readPairCount(cursor: Cursor): number {
	return cursor.count('the number of metadata pairs', leastPairBytes);
}

function readValue(cursor: Cursor, type: number, what: string): GgufValue {
	if (type === stringType) return cursor.text(what);
	if (type === listType) return readList(cursor, what);
	const { bytes, read } = numberType(type, what, cursor.place);
	return read(cursor.take(bytes, what));
}

function readList(cursor: Cursor, what: string): GgufList {
	const type = cursor.uint32(`the type of the items of ${what}`);
	if (type === stringType) {
		const length = cursor.count(`the length of ${what}`, 8);
		return Array.from({ length }, (_, index) => cursor.text(`item ${index} of ${what}`));
	}
	const { bytes, list } = numberType(type, what, cursor.place);
	const { buffer, byteOffset, byteLength } = cursor.take(
		cursor.count(`the length of ${what}`, bytes) * bytes,
		what,
	);
	return list(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
}

function numberType(type: number, what: string, place: string): NumberType {
	const known = numberTypes.get(type);
	if (known === undefined) throw formatError(`${what} has type ${type}, which is none here`, place);
	return known;
}

function plain(value: bigint): number | bigint {
	const number = Number(value);
	return Number.isSafeInteger(number) ? number : value;
}

/** What a person wrote: 1e-5, of which float32 made 0.000009999999747378752. */
function shortestDecimal(value: number): number {
	for (let digits = 6; digits < 9; digits++) {
		const candidate = Number(value.toPrecision(digits));
		if (Math.fround(candidate) === value) return candidate;
	}
	return value;
}
