import { erf } from '../../../backends/reference/erf.ts';
import type { ReadNode, ReadOnnx } from '../../../formats/onnx/testing/read-onnx.ts';
import { onnxTypes } from '../../../formats/onnx/writer.ts';

type ValueType = keyof typeof onnxTypes | 'bool';

/** A value of a graph; whole numbers and conditions are kept as numbers too. */
export interface GraphValue {
	readonly type: ValueType;
	readonly shape: readonly number[];
	readonly data: Float64Array;
}

/**
 * Computes a graph by obvious loops in float64, as far as our exports have operators, by onnx's specification of opset 17. Throws for an
 * operator or attribute that isn't known, for types that don't go together, and for a value that is used before it is made.
 */
export function runGraph(
	graph: ReadOnnx,
	inputs: Readonly<Record<string, GraphValue>>,
): ReadonlyMap<string, GraphValue> {
	const values = new Map<string, GraphValue>(Object.entries(inputs));
	for (const [name, { type, shape, bytes }] of graph.constants) {
		const isFloat = type === onnxTypes.float;
		const numbers = isFloat
			? new Float32Array(bytes.buffer)
			: Array.from(new BigInt64Array(bytes.buffer), Number);
		const value: GraphValue = { type: isFloat ? 'float' : 'int64', shape, data: Float64Array.from(numbers) };
		if (value.data.length !== sizeOf(shape)) throw new Error(`${name} is no tensor of [${shape}]`);
		values.set(name, value);
	}
	for (const node of graph.nodes) {
		const given = node.inputs.map((name) => {
			const value = values.get(name);
			if (value === undefined) throw new Error(`${name} is not there for ${node.op}`);
			return value;
		});
		const results = compute(node, given);
		if (results.length !== node.outputs.length) throw new Error(`${node.op} has ${results.length} results`);
		for (const [index, name] of node.outputs.entries()) {
			if (values.has(name)) throw new Error(`${name} is made twice`);
			values.set(name, results[index]!);
		}
	}
	return values;
}

type Operator = (
	inputs: readonly GraphValue[],
	attributes: ReadNode['attributes'],
	outputs: number,
) => GraphValue | readonly GraphValue[];

function compute({ op, outputs, attributes }: ReadNode, inputs: readonly GraphValue[]) {
	const operator = operators[op];
	if (operator === undefined) throw new Error(`${op} is not known`);
	const allowed = attributesOf[op] ?? [];
	for (const name of Object.keys(attributes)) {
		if (!allowed.includes(name)) throw new Error(`${op} has no attribute ${name}`);
	}
	return [operator(inputs, attributes, outputs.length)].flat() as readonly GraphValue[];
}

const attributesOf: Readonly<Record<string, readonly string[]>> = {
	Cast: ['to'],
	Concat: ['axis'],
	Gemm: ['transB'],
	LayerNormalization: ['axis', 'epsilon'],
	ReduceMax: ['axes', 'keepdims'],
	ReduceMean: ['axes', 'keepdims'],
	ReduceMin: ['axes', 'keepdims'],
	ReduceSum: ['keepdims'],
	Softmax: ['axis'],
	Split: ['axis'],
	Transpose: ['perm'],
};

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

const operators: Readonly<Record<string, Operator>> = {
	Abs: each(Math.abs),
	Add: both((a, b) => a + b),
	And: both((a, b) => a * b, 'bool', 'bool'),
	Cast: ([x], { to }) => ({ ...x!, type: to === onnxTypes.float ? 'float' : 'int64' }),
	Concat: (inputs, { axis }) => concat(inputs, axis as number),
	CumSum: ([x, axis]) => {
		if (axis!.shape.length > 0) throw new Error('the axis of CumSum is a scalar');
		return along(x!, axis!.data[0]!, (row) => row.map((_, i) => sum(row.slice(0, i + 1))));
	},
	Div: both((a, b) => a / b),
	Equal: both((a, b) => Number(a === b), undefined, 'bool'),
	Erf: each(erf),
	Gather: ([table, indices]) => gather(table!, indices!),
	Gemm: ([a, b, c], { transB }) => {
		if (transB !== 1) throw new Error('B of Gemm lies transposed');
		const product = matmul(a!, transpose(b!, [1, 0]));
		return c === undefined ? product : zip([product, c], ([x, y]) => x! + y!, 'float');
	},
	Greater: both((a, b) => Number(a > b), undefined, 'bool'),
	GreaterOrEqual: both((a, b) => Number(a >= b), undefined, 'bool'),
	Identity: ([x]) => x!,
	LayerNormalization: ([x, scale, bias], { axis, epsilon }) => {
		const normed = along(x!, axis as number, (row) => {
			const mean = sum(row) / row.length;
			const variance = sum(row.map((value) => (value - mean) ** 2)) / row.length;
			return row.map((value) => (value - mean) / Math.sqrt(variance + (epsilon as number)));
		});
		const scaled = zip([normed, scale!], ([a, b]) => a! * b!, 'float');
		return bias === undefined ? scaled : zip([scaled, bias], ([a, b]) => a! + b!, 'float');
	},
	Less: both((a, b) => Number(a < b), undefined, 'bool'),
	LessOrEqual: both((a, b) => Number(a <= b), undefined, 'bool'),
	MatMul: ([a, b]) => matmul(a!, b!),
	Max: both(Math.max),
	Min: both(Math.min),
	Mul: both((a, b) => a * b),
	Range: ([start, limit, delta]) => {
		const [from, to, step] = [start!, limit!, delta!].map((value) => scalar(value)) as [
			number,
			number,
			number,
		];
		const data = Float64Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);
		return { type: start!.type, shape: [data.length], data };
	},
	ReduceMax: reduce((row) => Math.max(...row)),
	ReduceMean: reduce((row) => sum(row) / row.length),
	ReduceMin: reduce((row) => Math.min(...row)),
	ReduceSum: ([x, axes], attributes) => reduce(sum)([x!], { ...attributes, axes: [...axes!.data] }, 1),
	Reshape: ([x, shape]) => {
		const sizes = [...shape!.data];
		const known = sizes.reduce((all, size) => (size === -1 ? all : all * size), 1);
		const full = sizes.map((size) => (size === -1 ? x!.data.length / known : size));
		if (sizeOf(full) !== x!.data.length) throw new Error(`[${x!.shape}] can't be [${full}]`);
		return { ...x!, shape: full };
	},
	Shape: ([x]) => ({ type: 'int64', shape: [x!.shape.length], data: Float64Array.from(x!.shape) }),
	Sigmoid: each((x) => 1 / (1 + Math.exp(-x))),
	Softmax: ([x], { axis }) =>
		along(x!, axis as number, (row) => {
			const largest = Math.max(...row);
			const powers = row.map((value) => Math.exp(value - largest));
			const total = sum(powers);
			return powers.map((power) => power / total);
		}),
	Split: ([x, sizes], { axis }, outputs) => {
		if (sizes!.data.length !== outputs) throw new Error('Split has as many results as sizes');
		let start = 0;
		return [...sizes!.data].map((size) => {
			start += size;
			return take(x!, axis as number, start - size, size);
		});
	},
	Sqrt: each(Math.sqrt),
	Squeeze: ([x, axes]) => {
		const at = [...axes!.data];
		if (at.some((axis) => x!.shape[axis] !== 1)) throw new Error('only an axis of 1 is squeezed');
		return { ...x!, shape: x!.shape.filter((_, axis) => !at.includes(axis)) };
	},
	Sub: both((a, b) => a - b),
	Tanh: each(Math.tanh),
	Transpose: ([x], { perm }) => transpose(x!, perm as readonly number[]),
	Unsqueeze: ([x, axes]) => {
		const shape = [...x!.shape];
		for (const axis of axes!.data) shape.splice(axis, 0, 1);
		return { ...x!, shape };
	},
	Where: ([condition, a, b]) => {
		if (condition!.type !== 'bool' || a!.type !== b!.type) throw new Error('types of Where');
		return zip([condition!, a!, b!], ([c, x, y]) => (c === 1 ? x! : y!), a!.type);
	},
};

function sizeOf(shape: readonly number[]): number {
	return shape.reduce((product, size) => product * size, 1);
}

function scalar({ shape, data }: GraphValue): number {
	if (shape.length > 0) throw new Error('a scalar is expected');
	return data[0]!;
}

function each(apply: (x: number) => number): Operator {
	return ([x]) => ({ ...x!, data: x!.data.map(apply) });
}

/** An operator on two values of one type, which is the result's where no other is said. */
function both(apply: (a: number, b: number) => number, wanted?: ValueType, result?: ValueType): Operator {
	return (inputs) => {
		const [a, b] = inputs as [GraphValue, GraphValue];
		if (a.type !== b.type || (wanted ?? a.type) !== a.type) throw new Error(`${a.type} with ${b.type}`);
		return zip([a, b], ([x, y]) => apply(x!, y!), result ?? a.type);
	};
}

/** Applies to values of shapes that are made one: axes are added in front, and those of size 1 repeated. */
function zip(
	inputs: readonly GraphValue[],
	apply: (numbers: readonly number[]) => number,
	type: ValueType,
): GraphValue {
	const rank = Math.max(...inputs.map(({ shape }) => shape.length));
	const padded = inputs.map(({ shape }) => [...Array<number>(rank - shape.length).fill(1), ...shape]);
	const shape = Array.from({ length: rank }, (_, axis) => {
		const sizes = new Set(padded.map((sizes) => sizes[axis]!).filter((size) => size !== 1));
		if (sizes.size > 1) throw new Error(`[${padded.join('] and [')}] don't go together`);
		return [...sizes][0] ?? 1;
	});
	const strides = padded.map((sizes) =>
		stridesOf(sizes).map((stride, axis) => (sizes[axis] === 1 ? 0 : stride)),
	);
	const data = new Float64Array(sizeOf(shape));
	walk(shape, strides, (index, places) => {
		data[index] = apply(inputs.map((input, i) => input.data[places[i]!]!));
	});
	return { type, shape, data };
}

function stridesOf(shape: readonly number[]): number[] {
	return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** Visits every element of a shape in order, with its place in each of the values that are stepped through by strides. */
function walk(
	shape: readonly number[],
	strides: readonly (readonly number[])[],
	visit: (index: number, places: readonly number[]) => void,
): void {
	const counters = new Array<number>(shape.length).fill(0);
	const places = strides.map(() => 0);
	const size = sizeOf(shape);
	for (let index = 0; index < size; index++) {
		visit(index, places);
		for (let axis = shape.length - 1; axis >= 0; axis--) {
			counters[axis]! += 1;
			const isOver = counters[axis] === shape[axis];
			const step = isOver ? 1 - shape[axis]! : 1;
			for (const [i, own] of strides.entries()) places[i]! += step * own[axis]!;
			if (!isOver) break;
			counters[axis] = 0;
		}
	}
}

/** Replaces every row along an axis. */
function along(
	x: GraphValue,
	axis: number,
	apply: (row: readonly number[]) => readonly number[],
): GraphValue {
	const at = axis < 0 ? axis + x.shape.length : axis;
	const last = x.shape.length - 1;
	const order = x.shape.map((_, i) => (i === at ? last : i === last ? at : i));
	const turned = transpose(x, order);
	const length = x.shape[at]!;
	const rows = Array.from({ length: x.data.length / length }, (_, row) =>
		apply([...turned.data.subarray(row * length, (row + 1) * length)]),
	);
	const size = rows[0]?.length ?? 0;
	const data = Float64Array.from(rows.flat());
	return transpose({ ...turned, shape: [...turned.shape.slice(0, -1), size], data }, order);
}

function reduce(apply: (row: readonly number[]) => number): Operator {
	return ([x], { axes, keepdims }) => {
		const [axis, ...others] = axes as readonly number[];
		if (axis === undefined || others.length > 0) throw new Error('one axis is reduced');
		const reduced = along(x!, axis, (row) => [apply(row)]);
		const at = axis < 0 ? axis + x!.shape.length : axis;
		return keepdims === 1 ? reduced : { ...reduced, shape: reduced.shape.filter((_, i) => i !== at) };
	};
}

function transpose(x: GraphValue, order: readonly number[]): GraphValue {
	const strides = stridesOf(x.shape);
	const shape = order.map((axis) => x.shape[axis]!);
	const data = new Float64Array(x.data.length);
	walk(shape, [order.map((axis) => strides[axis]!)], (index, [place]) => {
		data[index] = x.data[place!]!;
	});
	return { ...x, shape, data };
}

/** Rows of the first axis, in the shape of what says which. */
function gather(table: GraphValue, indices: GraphValue): GraphValue {
	const [rows, ...rest] = table.shape as readonly [number, ...number[]];
	const size = sizeOf(rest);
	const data = new Float64Array(indices.data.length * size);
	for (const [i, row] of indices.data.entries()) {
		if (row < 0 || row >= rows) throw new Error(`there is no row ${row} of ${rows}`);
		data.set(table.data.subarray(row * size, (row + 1) * size), i * size);
	}
	return { ...table, shape: [...indices.shape, ...rest], data };
}

function take(x: GraphValue, axis: number, start: number, size: number): GraphValue {
	return along(x, axis, (row) => row.slice(start, start + size));
}

function concat(inputs: readonly GraphValue[], axis: number): GraphValue {
	const shape = inputs[0]!.shape.map((size, i) => (i === axis ? sum(inputs.map((x) => x.shape[i]!)) : size));
	const outer = sizeOf(shape.slice(0, axis));
	const parts = Array.from({ length: outer }, (_, i) =>
		inputs.flatMap(({ data }) => {
			const length = data.length / outer;
			return [...data.subarray(i * length, (i + 1) * length)];
		}),
	);
	return { ...inputs[0]!, shape, data: Float64Array.from(parts.flat()) };
}

/** Products of the matrices in the last two axes, the axes before them made one. */
function matmul(a: GraphValue, b: GraphValue): GraphValue {
	const [rows, inner] = a.shape.slice(-2) as [number, number];
	const [same, columns] = b.shape.slice(-2) as [number, number];
	if (inner !== same || a.type !== 'float' || b.type !== 'float') {
		throw new Error(`[${a.shape}] times [${b.shape}]`);
	}
	// numbers of the matrices, which are then paired like elements
	const numbered = (x: GraphValue): GraphValue => {
		const shape = x.shape.slice(0, -2);
		return { type: 'int64', shape, data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => i) };
	};
	const [left, right] = [numbered(a), numbered(b)];
	const ofA = zip([left, right], ([i]) => i!, 'int64');
	const ofB = zip([left, right], ([, j]) => j!, 'int64');
	const data = new Float64Array(ofA.data.length * rows * columns);
	for (const [matrix, i] of ofA.data.entries()) {
		const x = a.data.subarray(i * rows * inner, (i + 1) * rows * inner);
		const at = ofB.data[matrix]! * inner * columns;
		const y = b.data.subarray(at, at + inner * columns);
		const out = data.subarray(matrix * rows * columns, (matrix + 1) * rows * columns);
		for (let row = 0; row < rows; row++) {
			for (let k = 0; k < inner; k++) {
				const factor = x[row * inner + k]!;
				for (let column = 0; column < columns; column++) {
					out[row * columns + column]! += factor * y[k * columns + column]!;
				}
			}
		}
	}
	return { type: 'float', shape: [...ofA.shape, rows, columns], data };
}
