import { elements } from '../../backends/view.ts';
import type { OnnxAttribute, OnnxInitializer, OnnxNode } from '../../formats/onnx/writer.ts';

/** Puts a graph together; values are known by their names. */
export interface GraphBuilder {
	/** Adds an operator of one result; gives its name. */
	node(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, OnnxAttribute>>): string;
	/** The same of several results. */
	nodes(
		op: string,
		inputs: readonly string[],
		count: number,
		attributes?: Readonly<Record<string, OnnxAttribute>>,
	): readonly string[];
	/** A constant of whole numbers, of one dimension. */
	integers(...values: readonly number[]): string;
	/** A constant that is one whole number, of no dimension. */
	integer(value: number): string;
	/** A constant that is one number, of no dimension. */
	number(value: number): string;
	/** A constant of a shape, made when it is written; the second of a name is the first. */
	constant(name: string, shape: readonly number[], values: () => Float32Array): string;
	readonly operators: readonly OnnxNode[];
	readonly initializers: readonly OnnxInitializer[];
}

export function createGraphBuilder(): GraphBuilder {
	const operators: OnnxNode[] = [];
	const initializers = new Map<string, OnnxInitializer>();
	const nodes: GraphBuilder['nodes'] = (op, inputs, count, attributes = {}) => {
		const outputs = Array.from({ length: count }, (_, i) => `v${operators.length}_${i}`);
		operators.push({ op, inputs, outputs, attributes });
		return outputs;
	};
	const add = (
		name: string,
		type: OnnxInitializer['type'],
		shape: readonly number[],
		values: () => ArrayBufferView<ArrayBufferLike>,
	): string => {
		const bytesOf = () => {
			const { buffer, byteOffset, byteLength } = values();
			return new Uint8Array(buffer, byteOffset, byteLength);
		};
		const byteLength = elements(shape) * (type === 'float' ? 4 : 8);
		if (!initializers.has(name)) initializers.set(name, { name, type, shape, byteLength, data: bytesOf });
		return name;
	};
	return {
		nodes,
		node: (op, inputs, attributes) => nodes(op, inputs, 1, attributes)[0]!,
		integers: (...values) =>
			add(`integers_${values.join('_')}`, 'int64', [values.length], () => BigInt64Array.from(values, BigInt)),
		integer: (value) => add(`integer_${value}`, 'int64', [], () => BigInt64Array.of(BigInt(value))),
		number: (value) => add(`number_${value}`, 'float', [], () => Float32Array.of(value)),
		constant: (name, shape, values) => add(name, 'float', shape, values),
		operators,
		get initializers() {
			return [...initializers.values()];
		},
	};
}
