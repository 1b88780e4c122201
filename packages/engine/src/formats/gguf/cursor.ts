import { readBytes } from '../files.ts';
import { formatError, truncatedError } from './gguf-errors.ts';

/** Metadata and the table of tensors together; the largest vocabularies take some ten megabytes. */
export const maxHeaderBytes = 64_000_000;
const firstReadBytes = 2 ** 20;

/** Reads the header of a file from its beginning, checking every size against the file before it takes or allocates anything. */
export interface Cursor {
	readonly place: string;
	/** From the start of the file. */
	readonly offset: number;
	/** Of the file, after the offset. */
	readonly remaining: number;
	/** The next bytes; valid until the next call. */
	take(byteLength: number | bigint, what: string): DataView;
	uint32(what: string): number;
	/** Refuses a count of things that take `leastBytes` each where the file can't hold them. */
	count(what: string, leastBytes: number): number;
	/** A length and so many bytes of UTF-8. */
	text(what: string): string;
}

export function createCursor(descriptor: number, fileBytes: number, place: string): Cursor {
	let loaded = new Uint8Array(0);
	let offset = 0;
	const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

	const take: Cursor['take'] = (byteLength, what) => {
		if (byteLength > fileBytes - offset) {
			throw truncatedError(
				`${what} takes ${byteLength} bytes, the file has ${fileBytes - offset} more`,
				place,
			);
		}
		const end = offset + Number(byteLength);
		if (end > maxHeaderBytes) {
			throw formatError(`the header is longer than ${maxHeaderBytes} bytes, which is the limit`, place);
		}
		if (end > loaded.length) {
			const wanted = Math.min(fileBytes, maxHeaderBytes, Math.max(end, 2 * loaded.length, firstReadBytes));
			loaded = readBytes(descriptor, 0, wanted, place);
		}
		const view = new DataView(loaded.buffer, offset, Number(byteLength));
		offset = end;
		return view;
	};
	return {
		place,
		get offset() {
			return offset;
		},
		get remaining() {
			return fileBytes - offset;
		},
		take,
		uint32: (what) => take(4, what).getUint32(0, true),
		count(what, leastBytes) {
			const count = take(8, what).getBigUint64(0, true);
			if (count * BigInt(leastBytes) > BigInt(fileBytes - offset)) {
				throw truncatedError(`${what} is ${count}, more than fit into the rest of the file`, place);
			}
			return Number(count);
		},
		text(what) {
			const bytes = take(take(8, `the length of ${what}`).getBigUint64(0, true), what);
			try {
				return utf8.decode(bytes);
			} catch {
				throw formatError(`${what} is not UTF-8`, place);
			}
		},
	};
}
