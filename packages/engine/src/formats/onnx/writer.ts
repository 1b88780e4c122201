import path from 'node:path';
import { writeFileAtomically } from '../files.ts';
import { floatField, joined, lengthOf, messageField, prefixOf, textField, varintField } from './protobuf.ts';

/** onnx.proto3's numbers of element types. */
export const onnxTypes = { float: 1, int64: 7 } as const;

export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** An operator of the default domain. */
export interface OnnxNode {
	readonly op: string;
	readonly inputs: readonly string[];
	readonly outputs: readonly string[];
	readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant of the graph. */
export interface OnnxInitializer {
	readonly name: string;
	readonly type: keyof typeof onnxTypes;
	readonly shape: readonly number[];
	readonly byteLength: number;
	/** Its bytes, asked for once, when it is their turn. */
	readonly data: () => Uint8Array;
}

/** A dimension is a size, or a name where any size is taken. */
export interface OnnxValue {
	readonly name: string;
	readonly type: keyof typeof onnxTypes;
	readonly shape: readonly (number | string)[];
}

export interface OnnxGraph {
	readonly name: string;
	readonly nodes: readonly OnnxNode[];
	readonly initializers: readonly OnnxInitializer[];
	readonly inputs: readonly OnnxValue[];
	readonly outputs: readonly OnnxValue[];
	/** Version of the default domain's operators. */
	readonly opset: number;
	/** Version of the file format that knows this opset. */
	readonly irVersion: number;
}

/** A protocol buffer holds at most 2 GiB, of which the graph itself takes a little. */
const maxInlineBytes = 2 ** 31 - 2 ** 24;
/** Constants below this size stay inside: shapes and the like are needed before any data file is read. */
const leastExternalBytes = 1024;
/** Where constants begin in a data file, so that it can be mapped into memory (IR.md, "External Tensor Data"). */
const pageBytes = 4096;

/** The file of a graph's constants, where they are no part of it. */
export function onnxDataFile(file: string): string {
	return `${file}.data`;
}

/**
 * Writes a graph as an ONNX file, whole or not at all; no more than one constant is in memory. Where constants take more than `maxBytes`,
 * by default what a protocol buffer holds, they lie in `<file>.data` beside it.
 *
 * @returns the files written
 */
export function writeOnnx(file: string, graph: OnnxGraph, maxBytes = maxInlineBytes): readonly string[] {
	const total = graph.initializers.reduce((sum, { byteLength }) => sum + byteLength, 0);
	if (total <= maxBytes) {
		writeFileAtomically(file, (append) => appendModel(append, graph, new Map(), ''));
		return [file];
	}
	const dataFile = onnxDataFile(file);
	const outside = graph.initializers.filter(({ byteLength }) => byteLength >= leastExternalBytes);
	const offsets = new Map<string, number>();
	let end = 0;
	for (const { name, byteLength } of outside) {
		offsets.set(name, end);
		end += Math.ceil(byteLength / pageBytes) * pageBytes;
	}
	// inside, so that neither appears where the other fails
	writeFileAtomically(file, (append) => {
		appendModel(append, graph, offsets, path.basename(dataFile));
		writeFileAtomically(dataFile, (appendData) => {
			for (const initializer of outside) {
				appendData(checkedData(initializer));
				appendData(new Uint8Array(-initializer.byteLength & (pageBytes - 1)));
			}
		});
	});
	return [file, dataFile];
}

/** The file itself (ModelProto), with the places in the data file of those constants that lie there. */
function appendModel(
	append: (bytes: Uint8Array) => void,
	graph: OnnxGraph,
	offsets: ReadonlyMap<string, number>,
	location: string,
): void {
	const before = joined(
		...graph.nodes.map((node, index) => messageField(1, encodeNode(node, index))),
		textField(2, graph.name),
	);
	const after = joined(
		...graph.inputs.map((value) => messageField(11, encodeValue(value))),
		...graph.outputs.map((value) => messageField(12, encodeValue(value))),
	);
	const constants = graph.initializers.map((initializer) => {
		const offset = offsets.get(initializer.name);
		if (offset === undefined) {
			// raw_data follows
			const header = tensorHeader(initializer);
			return { header, inline: initializer, length: header.length + lengthOf(9, initializer.byteLength) };
		}
		const entries = { location, offset: String(offset), length: String(initializer.byteLength) };
		const external = Object.entries(entries).map(([key, value]) =>
			messageField(13, joined(textField(1, key), textField(2, value))),
		);
		const header = joined(tensorHeader(initializer), ...external, varintField(14, 1));
		return { header, inline: undefined, length: header.length };
	});
	const constantsLength = constants.reduce((sum, { length }) => sum + lengthOf(5, length), 0);
	append(joined(varintField(1, graph.irVersion), textField(2, 'vulntune')));
	append(joined(prefixOf(7, before.length + constantsLength + after.length), before));
	for (const { header, inline, length } of constants) {
		append(joined(prefixOf(5, length), header));
		if (inline === undefined) continue;
		append(prefixOf(9, inline.byteLength));
		append(checkedData(inline));
	}
	append(after);
	append(messageField(8, joined(textField(1, ''), varintField(2, graph.opset))));
}

function checkedData({ name, byteLength, data }: OnnxInitializer): Uint8Array {
	const bytes = data();
	if (bytes.byteLength === byteLength) return bytes;
	throw new RangeError(`${name} has ${bytes.byteLength} bytes where its header says ${byteLength}`);
}

/** What a TensorProto says before its bytes. */
function tensorHeader({ name, shape, type }: OnnxInitializer): Uint8Array {
	return joined(
		...shape.map((size) => varintField(1, size)),
		varintField(2, onnxTypes[type]),
		textField(8, name),
	);
}

function encodeNode({ op, inputs, outputs, attributes }: OnnxNode, index: number): Uint8Array {
	return joined(
		...inputs.map((name) => textField(1, name)),
		...outputs.map((name) => textField(2, name)),
		textField(3, `${op}_${index}`),
		textField(4, op),
		...Object.entries(attributes).map(([name, value]) => messageField(5, encodeAttribute(name, value))),
	);
}

/** AttributeProto, with the number of its type: FLOAT 1, INT 2, INTS 7. */
function encodeAttribute(name: string, value: OnnxAttribute): Uint8Array {
	if (typeof value === 'number') return joined(textField(1, name), varintField(3, value), varintField(20, 2));
	if ('float' in value) return joined(textField(1, name), floatField(2, value.float), varintField(20, 1));
	return joined(textField(1, name), ...value.map((item) => varintField(8, item)), varintField(20, 7));
}

function encodeValue({ name, type, shape }: OnnxValue): Uint8Array {
	const dimensions = shape.map((size) =>
		messageField(1, typeof size === 'number' ? varintField(1, size) : textField(2, size)),
	);
	const tensor = joined(varintField(1, onnxTypes[type]), messageField(2, joined(...dimensions)));
	return joined(textField(1, name), messageField(2, messageField(1, tensor)));
}
