import { maskedCrc32c } from './crc32c.ts';
import type { LogPoint, RunLog } from './log-points.ts';

/**
 * A TensorBoard event file: records (length, its checksum, data, its checksum) of `Event` messages, as
 * tensorflow/core/lib/io/record_writer.h and tensorflow/core/util/event.proto have them.
 */
export function tensorboardEvents({ start, points }: RunLog): Uint8Array {
	const version = message(double(1, start), text(3, 'brain.Event:2'));
	return Buffer.concat([version, ...points.map(scalarEvent)].map(record));
}

function scalarEvent({ name, value, step, time }: LogPoint): Uint8Array {
	const scalar = message(text(1, name), float(2, value));
	const summary = message(bytes(1, scalar));
	return message(double(1, time), varint(2, step), bytes(5, summary));
}

function record(data: Uint8Array): Uint8Array {
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(data.length));
	return Buffer.concat([length, checksum(length), data, checksum(data)]);
}

function checksum(data: Uint8Array): Uint8Array {
	const sum = Buffer.alloc(4);
	sum.writeUInt32LE(maskedCrc32c(data));
	return sum;
}

// protocol buffers: a field is its number and wire type (0 varint, 1 of 8 bytes, 2 with a length, 5 of 4 bytes), then its value

function message(...fields: readonly Uint8Array[]): Uint8Array {
	return Buffer.concat(fields);
}

function double(field: number, value: number): Uint8Array {
	const encoded = Buffer.alloc(8);
	encoded.writeDoubleLE(value);
	return Buffer.concat([tag(field, 1), encoded]);
}

function float(field: number, value: number): Uint8Array {
	const encoded = Buffer.alloc(4);
	encoded.writeFloatLE(value);
	return Buffer.concat([tag(field, 5), encoded]);
}

function varint(field: number, value: number): Uint8Array {
	return Buffer.concat([tag(field, 0), wholeNumber(value)]);
}

function bytes(field: number, value: Uint8Array): Uint8Array {
	return Buffer.concat([tag(field, 2), wholeNumber(value.length), value]);
}

function text(field: number, value: string): Uint8Array {
	return bytes(field, new TextEncoder().encode(value));
}

function tag(field: number, wireType: number): Uint8Array {
	return wholeNumber(field * 8 + wireType);
}

/** Seven bits a byte, the lowest first; the highest bit says that more come. */
function wholeNumber(value: number): Uint8Array {
	const encoded: number[] = [];
	let rest = value;
	while (rest > 127) {
		encoded.push((rest % 128) + 128);
		rest = Math.floor(rest / 128);
	}
	return Uint8Array.from([...encoded, rest]);
}
