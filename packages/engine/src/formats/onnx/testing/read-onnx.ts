import { readFileSync } from 'node:fs';
import path from 'node:path';

/** A graph as it lies in a file. */
export interface ReadOnnx {
	readonly irVersion: number;
	readonly opset: number;
	readonly nodes: readonly ReadNode[];
	readonly constants: ReadonlyMap<string, ReadConstant>;
	readonly inputs: readonly ReadValue[];
	readonly outputs: readonly ReadValue[];
}

export interface ReadNode {
	readonly op: string;
	readonly inputs: readonly string[];
	readonly outputs: readonly string[];
	readonly attributes: Readonly<Record<string, number | readonly number[]>>;
}

export interface ReadConstant {
	readonly type: number;
	readonly shape: readonly number[];
	readonly bytes: Uint8Array<ArrayBuffer>;
	/** Where it lies in the data file; undefined within the graph. */
	readonly offset: number | undefined;
}

export interface ReadValue {
	readonly name: string;
	readonly type: number;
	readonly shape: readonly (number | string)[];
}

/** Fields of a message: whole numbers, or bytes. */
type Message = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

/** Reads an ONNX file and its data file, as far as ours have fields; any other is an error. */
export function readOnnx(file: string): ReadOnnx {
	const model = decode(readFileSync(file), [1, 2, 7, 8]);
	const graph = decode(bytesOf(model, 7), [1, 2, 5, 11, 12]);
	const constants = all(graph, 5).map((bytes) => {
		const tensor = decode(bytes, [1, 2, 8, 9, 13, 14]);
		return [textOf(tensor, 8), readConstant(tensor, path.dirname(file))] as const;
	});
	return {
		irVersion: numberOf(model, 1),
		opset: numberOf(decode(bytesOf(model, 8), [1, 2]), 2),
		nodes: all(graph, 1).map(readNode),
		constants: new Map(constants),
		inputs: all(graph, 11).map(readValue),
		outputs: all(graph, 12).map(readValue),
	};
}

function readConstant(tensor: Message, folder: string): ReadConstant {
	const shape = (tensor.get(1) ?? []) as readonly number[];
	const type = numberOf(tensor, 2);
	if (!tensor.has(14)) {
		return { type, shape, bytes: Uint8Array.from(bytesOf(tensor, 9)), offset: undefined };
	}
	const place = Object.fromEntries(
		all(tensor, 13).map((bytes) => {
			const entry = decode(bytes, [1, 2]);
			return [textOf(entry, 1), textOf(entry, 2)];
		}),
	);
	const offset = Number(place.offset);
	const data = readFileSync(path.join(folder, place.location!));
	return {
		type,
		shape,
		bytes: Uint8Array.from(data.subarray(offset, offset + Number(place.length))),
		offset,
	};
}

function readNode(bytes: Uint8Array): ReadNode {
	const node = decode(bytes, [1, 2, 3, 4, 5]);
	const attributes = all(node, 5).map((attribute) => {
		const fields = decode(attribute, [1, 2, 3, 8, 20]);
		const kind = numberOf(fields, 20);
		const values = (fields.get(kind === 1 ? 2 : kind === 2 ? 3 : 8) ?? []) as readonly number[];
		return [textOf(fields, 1), kind === 7 ? values : values[0]!] as const;
	});
	const texts = (field: number) => all(node, field).map((text) => Buffer.from(text).toString());
	return {
		op: textOf(node, 4),
		inputs: texts(1),
		outputs: texts(2),
		attributes: Object.fromEntries(attributes),
	};
}

function readValue(bytes: Uint8Array): ReadValue {
	const value = decode(bytes, [1, 2]);
	const tensor = decode(bytesOf(decode(bytesOf(value, 2), [1]), 1), [1, 2]);
	const shape = all(decode(bytesOf(tensor, 2), [1]), 1).map((dimension) => {
		const fields = decode(dimension, [1, 2]);
		return fields.has(1) ? numberOf(fields, 1) : textOf(fields, 2);
	});
	return { name: textOf(value, 1), type: numberOf(tensor, 1), shape };
}

function decode(bytes: Uint8Array, known: readonly number[]): Message {
	const fields = new Map<number, (number | Uint8Array)[]>();
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let at = 0;
	const varint = () => {
		let value = 0n;
		for (let shift = 0n; ; shift += 7n) {
			const byte = view.getUint8(at++);
			value |= BigInt(byte & 0x7f) << shift;
			if (byte < 0x80) return Number(BigInt.asIntN(64, value));
		}
	};
	while (at < bytes.length) {
		const key = varint();
		const [field, wire] = [key >>> 3, key & 7];
		if (!known.includes(field)) throw new Error(`field ${field} is not known`);
		let value: number | Uint8Array;
		if (wire === 0) value = varint();
		else if (wire === 5) {
			value = view.getFloat32(at, true);
			at += 4;
		} else if (wire === 2) {
			const length = varint();
			if (at + length > bytes.length) throw new Error(`field ${field} is longer than its message`);
			value = bytes.subarray(at, at + length);
			at += length;
		} else throw new Error(`wire type ${wire} is not known`);
		fields.set(field, [...(fields.get(field) ?? []), value]);
	}
	return fields;
}

function all(message: Message, field: number): readonly Uint8Array[] {
	return (message.get(field) ?? []) as readonly Uint8Array[];
}

function bytesOf(message: Message, field: number): Uint8Array {
	const values = all(message, field);
	if (values.length !== 1) throw new Error(`field ${field} is expected once`);
	return values[0]!;
}

function textOf(message: Message, field: number): string {
	return Buffer.from(bytesOf(message, field)).toString();
}

function numberOf(message: Message, field: number): number {
	return bytesOf(message, field) as unknown as number;
}
