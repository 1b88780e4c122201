import { writeOnnx } from '../../formats/onnx/writer.ts';
import type { HostMatrix } from '../../models/peft-files.ts';
import { createGraphBuilder, type GraphBuilder } from './graph-builder.ts';
import { addInputs, addTransformer, type GraphInputs, type GraphModel } from './transformer-graph.ts';

/** Version of the operators: the first that has LayerNormalization, and one that runtimes since 2022 know. */
export const onnxOpset = 17;
/** Version of the file format that came with it. */
const onnxIrVersion = 8;

export interface OnnxClassifier extends GraphModel {
	readonly pool: 'last' | 'first' | 'mean' | 'max' | 'meanMax';
	readonly head: {
		/** [classes, K] */
		readonly score: HostMatrix;
		/** [classes] */
		readonly scoreBias: HostMatrix | undefined;
		/** A hidden layer with tanh: [K, H] and [K], [K, 2H] behind `meanMax`. */
		readonly dense: { readonly weight: HostMatrix; readonly bias: HostMatrix } | undefined;
	};
	/** Tokens that stand before and behind a text's own in what the graph is given; mean and max leave them out. */
	readonly around: { readonly before: number; readonly behind: number };
}

/**
 * Writes a classifier as an ONNX graph: `input_ids` and `attention_mask`, int64 [batch, sequence], to `logits` [batch, classes], all in
 * float32. Padding may stand on either side. Where the weights take more than a protocol buffer holds, or `maxBytes`, they lie in a file
 * beside it.
 *
 * @returns the files written
 */
export function writeOnnxClassifier(
	file: string,
	model: OnnxClassifier,
	maxBytes?: number,
): readonly string[] {
	const graph = createGraphBuilder();
	const inputs = addInputs(graph, 'input_ids', 'attention_mask');
	const states = addTransformer(graph, model, inputs); // [T, H]
	const shape = graph.node('Concat', [inputs.shape, graph.integers(model.config.hiddenSize)], { axis: 0 });
	const rows = graph.node('Reshape', [states, shape]); // [B, S, H]
	const logits = addHead(graph, model.head, addPool(graph, model, rows, inputs)); // [B, classes]
	const size = ['batch', 'sequence'];
	const classes = model.head.score.shape[0]!;
	return writeOnnx(
		file,
		{
			name: 'classifier',
			nodes: [...graph.operators, { op: 'Identity', inputs: [logits], outputs: ['logits'], attributes: {} }],
			initializers: graph.initializers,
			inputs: [inputs.ids, inputs.mask].map((name) => ({ name, type: 'int64', shape: size })),
			outputs: [{ name: 'logits', type: 'float', shape: ['batch', classes] }],
			opset: onnxOpset,
			irVersion: onnxIrVersion,
		},
		maxBytes,
	);
}

/** states [B, S, H] → [B, H], of `meanMax` [B, 2H] */
function addPool(
	graph: GraphBuilder,
	{ pool, around }: OnnxClassifier,
	states: string,
	{ kept, places }: GraphInputs,
): string {
	const extreme = (op: 'ReduceMin' | 'ReduceMax', otherwise: number) =>
		graph.node(op, [graph.node('Where', [kept, places, graph.integer(otherwise)])], {
			axes: [1],
			keepdims: 1,
		});
	const first = () => extreme('ReduceMin', 2 ** 30); // [B, 1]
	const last = () => graph.node('Sub', [extreme('ReduceMax', -1), graph.integer(around.behind)]); // [B, 1]
	if (pool === 'first' || pool === 'last') {
		const chosen = graph.node('Equal', [places, pool === 'first' ? first() : last()]); // [B, S]
		return weighed(graph, graph.node('Cast', [chosen], { to: 1 }), states);
	}
	const to = last(); // [B, 1]
	// a text without tokens has nothing but what stands before it
	const from = graph.node('Min', [graph.node('Add', [first(), graph.integer(around.before)]), to]); // [B, 1]
	const own = graph.node('And', [
		graph.node('GreaterOrEqual', [places, from]),
		graph.node('LessOrEqual', [places, to]),
	]); // [B, S]
	const maximum = () => {
		const column = graph.node('Unsqueeze', [own, graph.integers(2)]); // [B, S, 1]
		const others = graph.node('Where', [column, states, graph.number(-3e38)]); // [B, S, H]
		return graph.node('ReduceMax', [others], { axes: [1], keepdims: 0 }); // [B, H]
	};
	const mean = () => {
		const shares = graph.node('Cast', [own], { to: 1 }); // [B, S]
		const count = graph.node('ReduceSum', [shares, graph.integers(1)], { keepdims: 1 }); // [B, 1]
		return weighed(graph, graph.node('Div', [shares, count]), states); // [B, H]
	};
	if (pool === 'max') return maximum();
	if (pool === 'mean') return mean();
	return graph.node('Concat', [mean(), maximum()], { axis: 1 }); // [B, 2H]
}

/** Σ weights [B, S] × states [B, S, H] → [B, H] */
function weighed(graph: GraphBuilder, weights: string, states: string): string {
	const product = graph.node('MatMul', [graph.node('Unsqueeze', [weights, graph.integers(1)]), states]); // [B, 1, H]
	return graph.node('Squeeze', [product, graph.integers(1)]);
}

/** states [B, H or 2H] → logits [B, classes] */
function addHead(
	graph: GraphBuilder,
	{ dense, score, scoreBias }: OnnxClassifier['head'],
	states: string,
): string {
	const layer = (x: string, name: string, weight: HostMatrix, bias: HostMatrix | undefined) => {
		const constant = (part: string, { shape, values }: HostMatrix) =>
			graph.constant(`${name}.${part}`, shape, () => values);
		const parts = [constant('weight', weight), ...(bias === undefined ? [] : [constant('bias', bias)])];
		return graph.node('Gemm', [x, ...parts], { transB: 1 });
	};
	const read =
		dense === undefined
			? states
			: graph.node('Tanh', [layer(states, 'score.dense', dense.weight, dense.bias)]); // [B, K]
	return layer(read, 'score', score, scoreBias);
}
