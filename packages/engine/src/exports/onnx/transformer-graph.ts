import type { Activation, AttentionShape } from '../../backends/contract.ts';
import { elements } from '../../backends/view.ts';
import type { ExpectedTensor } from '../../formats/huggingface/expected-tensor.ts';
import type { Attention } from '../../layers/attention.ts';
import type { Block } from '../../layers/block.ts';
import type { LinearLayer } from '../../layers/linear-layer.ts';
import type { Mlp } from '../../layers/mlp.ts';
import type { Norm } from '../../layers/norm.ts';
import { angleTables } from '../../layers/rope-table.ts';
import { expectedTensors, familyOf, namedWeights } from '../../models/families.ts';
import type { ModelConfig } from '../../models/model.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** What the graph of a model is made from. */
export interface GraphModel {
	readonly config: ModelConfig;
	/** Tokens of the longest text: as long is the table of rotary positions. */
	readonly maxPositions: number;
	/** The values of a tensor, asked for once. */
	readonly weightOf: (tensor: ExpectedTensor) => Float32Array;
}

/** Names of what a graph is given, and of what is read off it. */
export interface GraphInputs {
	/** int64 [batch, sequence] */
	readonly ids: string;
	/** int64 [batch, sequence]: 1 for a token, 0 for padding */
	readonly mask: string;
	/** The mask as a condition, [batch, sequence]. */
	readonly kept: string;
	/** int64 [2]: batch and sequence. */
	readonly shape: string;
	/** int64 [sequence]: 0, 1, … */
	readonly places: string;
}

export function addInputs(graph: GraphBuilder, ids: string, mask: string): GraphInputs {
	const shape = graph.node('Shape', [ids]);
	const length = graph.node('Gather', [shape, graph.integer(1)]); // scalar
	return {
		ids,
		mask,
		kept: graph.node('Greater', [mask, graph.integer(0)]),
		shape,
		places: graph.node('Range', [graph.integer(0), length, graph.integer(1)]),
	};
}

/** What a norm, a layer or a block of a graph needs besides the values that flow. */
interface Surroundings {
	readonly graph: GraphBuilder;
	/** The name of a tensor of the model as a constant. */
	readonly weight: (tensor: Tensor) => string;
	/** cos and sin of every token [T, 1, turned / 2], by the model's tables; T is batch × sequence. */
	readonly angles: readonly { readonly cos: string; readonly sin: string; readonly half: number }[];
	/** What is added to attention scores, [B, 1, 1, S or 1, S]: nothing, or as good as −∞ where a token isn't seen. */
	readonly bias: (shape: AttentionShape) => string;
	/** int64 [2]: batch and sequence. */
	readonly batchShape: string;
}

/** As good as −∞ for a softmax in float32, without a NaN in the row of a token that sees nothing: padding on the left. */
const UNSEEN = -1e30;

/**
 * Adds a model's forward pass to a graph, put together from the same blocks as the model that is computed here: hidden states
 * [batch × sequence, H] after the last norm. Positions are counted over what the mask leaves.
 */
export function addTransformer(graph: GraphBuilder, model: GraphModel, inputs: GraphInputs): string {
	const { config } = model;
	const byName = new Map(expectedTensors(config).map((tensor) => [tensor.name, tensor]));
	const weights = namedWeights(config);
	const weight = (tensor: Tensor): string => {
		const { name } = tensor as unknown as ExpectedTensor;
		const { offset, shape } = tensor;
		const values = () => model.weightOf(byName.get(name)!).subarray(offset, offset + elements(shape));
		return graph.constant(name, shape, values);
	};
	const flat = graph.integers(-1);
	const summed = graph.node('CumSum', [inputs.mask, graph.integer(1)]); // [B, S]
	const counted = graph.node('Sub', [summed, graph.integer(1)]); // [B, S]
	const positions = graph.node('Reshape', [graph.node('Max', [counted, graph.integer(0)]), flat]); // [T]
	const frequencies = familyOf(config).frequencies?.(config) ?? [];
	const around: Surroundings = {
		graph,
		weight,
		angles: frequencies.map((table, index) => addAngles(graph, model, table, index, positions)),
		bias: attentionBias(graph, inputs),
		batchShape: inputs.shape,
	};
	const { tokens, positions: learned, types, norm } = weights.embeddings;
	let x = graph.node('Gather', [weight(tokens), graph.node('Reshape', [inputs.ids, flat])]); // [T, H]
	if (types !== undefined) {
		x = graph.node('Add', [x, graph.node('Gather', [weight(types), graph.integer(0)])]); // [T, H]
	}
	if (learned !== undefined) x = graph.node('Add', [x, graph.node('Gather', [weight(learned), positions])]); // [T, H]
	if (norm !== undefined) x = addNorm(around, norm, x);
	for (const block of weights.blocks) x = addBlock(around, block, x); // [T, H]
	return weights.finalNorm === undefined ? x : addNorm(around, weights.finalNorm, x);
}

/** The angles at positions [T], looked up in tables of float64's cosines and sines: a runtime's own are those of rounded angles. */
function addAngles(
	graph: GraphBuilder,
	{ maxPositions }: GraphModel,
	frequencies: Float64Array,
	index: number,
	positions: string,
): Surroundings['angles'][number] {
	const half = frequencies.length;
	const at = (name: 'cos' | 'sin') => {
		const values = () => angleTables(frequencies, maxPositions)[name];
		const table = graph.constant(`${name}_${index}`, [maxPositions, half], values);
		return graph.node('Unsqueeze', [graph.node('Gather', [table, positions]), graph.integers(1)]); // [T, 1, half]
	};
	return { cos: at('cos'), sin: at('sin'), half };
}

/** Which tokens see which, the same for all layers of one shape. */
function attentionBias(graph: GraphBuilder, { kept, places }: GraphInputs): Surroundings['bias'] {
	const made = new Map<string, string>();
	const queries = graph.node('Unsqueeze', [places, graph.integers(1)]); // [S, 1]
	const distance = graph.node('Sub', [queries, places]); // [S, S]
	const keys = graph.node('Unsqueeze', [kept, graph.integers(1, 2, 3)]); // [B, 1, 1, 1, S]
	return ({ causal, window }) => {
		const key = `${causal} ${window}`;
		const known = made.get(key);
		if (known !== undefined) return known;
		const conditions = [
			...(causal ? [graph.node('GreaterOrEqual', [distance, graph.integer(0)])] : []), // [S, S]
			...(window === undefined
				? []
				: [graph.node('Less', [graph.node('Abs', [distance]), graph.integer(window)])]), // [S, S]
		];
		const seen = conditions.reduce((all, condition) => graph.node('And', [all, condition]), keys);
		const bias = graph.node('Where', [seen, graph.number(0), graph.number(UNSEEN)]); // [B, 1, 1, S or 1, S]
		made.set(key, bias);
		return bias;
	};
}

/** Normalises the last axis of x. */
function addNorm({ graph, weight }: Surroundings, norm: Norm, x: string): string {
	if (norm.kind === 'layer') {
		const inputs = [x, weight(norm.weight), ...(norm.bias === undefined ? [] : [weight(norm.bias)])];
		return graph.node('LayerNormalization', inputs, { axis: -1, epsilon: { float: norm.epsilon } });
	}
	const mean = graph.node('ReduceMean', [graph.node('Mul', [x, x])], { axes: [-1], keepdims: 1 });
	const deviation = graph.node('Sqrt', [graph.node('Add', [mean, graph.number(norm.epsilon)])]);
	return graph.node('Mul', [graph.node('Div', [x, deviation]), weight(norm.weight)]);
}

/** x [T, K] → [T, N] */
function addLinear({ graph, weight }: Surroundings, layer: LinearLayer, x: string): string {
	const bias = layer.bias === undefined ? [] : [weight(layer.bias)];
	return graph.node('Gemm', [x, weight(layer.weight as Tensor), ...bias], { transB: 1 });
}

/** x [T, H] → [T, H] */
function addBlock(around: Surroundings, block: Block, x: string): string {
	const { graph } = around;
	const plus = (a: string, b: string) => graph.node('Add', [a, b]);
	if (block.order === 'postNorm') {
		const attended = addAttention(around, block.attention, x);
		const middle = addNorm(around, block.attentionNorm, plus(x, attended));
		return addNorm(around, block.mlpNorm, plus(middle, addMlp(around, block.mlp, middle)));
	}
	const { attentionNorm } = block;
	const normed = attentionNorm === undefined ? x : addNorm(around, attentionNorm, x);
	const sum = plus(x, addAttention(around, block.attention, normed));
	const read = block.order === 'parallel' ? x : sum;
	return plus(sum, addMlp(around, block.mlp, addNorm(around, block.mlpNorm, read)));
}

/** x [T, H] → [T, H], output matrix and all. Query heads that share keys stand beside each other in an axis of their own. */
function addAttention(around: Surroundings, attention: Attention, x: string): string {
	const { graph, batchShape } = around;
	const { shape } = attention;
	const { heads, keyValueHeads, headDim } = shape;
	const shared = heads / keyValueHeads;
	const [query, key, value] = addProjection(around, attention, x); // [T, heads, D], [T, keyValueHeads, D] twice
	const split = (y: string, groups: number, order: readonly number[]) => {
		const sizes = graph.node('Concat', [batchShape, graph.integers(keyValueHeads, groups, headDim)], {
			axis: 0,
		});
		return graph.node('Transpose', [graph.node('Reshape', [y, sizes])], { perm: order });
	};
	const q = split(query!, shared, [0, 2, 3, 1, 4]); // [B, keyValueHeads, shared, S, D]
	const k = split(key!, 1, [0, 2, 3, 4, 1]); // [B, keyValueHeads, 1, D, S]
	const v = split(value!, 1, [0, 2, 3, 1, 4]); // [B, keyValueHeads, 1, S, D]
	const scores = graph.node('Mul', [graph.node('MatMul', [q, k]), graph.number(shape.scale)]); // [B, keyValueHeads, shared, S, S]
	const shares = graph.node('Softmax', [graph.node('Add', [scores, around.bias(shape)])], { axis: -1 });
	const seen = graph.node('Transpose', [graph.node('MatMul', [shares, v])], { perm: [0, 3, 1, 2, 4] }); // [B, S, keyValueHeads, shared, D]
	const joinedHeads = graph.node('Reshape', [seen, graph.integers(-1, heads * headDim)]); // [T, heads × D]
	return addLinear(around, attention.output, joinedHeads);
}

/** Queries [T, heads, D], keys and values [T, keyValueHeads, D], turned where positions are rotary. */
function addProjection(around: Surroundings, attention: Attention, x: string): readonly string[] {
	const { graph, angles } = around;
	const { projection, shape, turnedBy = 0 } = attention;
	const { heads, keyValueHeads, headDim } = shape;
	const inHeads = (y: string, count: number) =>
		graph.node('Reshape', [y, graph.integers(-1, count, headDim)]);
	const turned = (y: string) => addTurn(graph, angles[turnedBy]!, headDim, y);
	if ('fused' in projection) {
		const all = inHeads(addLinear(around, projection.fused, x), heads + 2 * keyValueHeads); // [T, heads + 2 × keyValueHeads, D]
		return graph.nodes('Split', [all, graph.integers(heads, keyValueHeads, keyValueHeads)], 3, { axis: 1 });
	}
	if ('interleaved' in projection) {
		const all = addLinear(around, projection.interleaved, x); // [T, heads × 3 × D]
		const apart = graph.node('Reshape', [all, graph.integers(-1, heads, 3 * headDim)]); // [T, heads, 3 × D]
		const [q, k, v] = graph.nodes('Split', [apart, graph.integers(headDim, headDim, headDim)], 3, {
			axis: 2,
		});
		return [turned(q!), turned(k!), v!];
	}
	if ('stacked' in projection) {
		const all = inHeads(addLinear(around, projection.stacked, x), 3 * heads); // [T, 3 × heads, D]
		const [q, k, v] = graph.nodes('Split', [all, graph.integers(heads, heads, heads)], 3, { axis: 1 });
		return [turned(q!), turned(k!), v!];
	}
	const { headNorms, rotary } = projection;
	const normed = (y: string, norm: Norm | undefined) => (norm === undefined ? y : addNorm(around, norm, y));
	const q = normed(inHeads(addLinear(around, projection.query, x), heads), headNorms?.query);
	const k = normed(inHeads(addLinear(around, projection.key, x), keyValueHeads), headNorms?.key);
	const v = inHeads(addLinear(around, projection.value, x), keyValueHeads);
	return rotary ? [turned(q), turned(k), v] : [q, k, v];
}

/** Rotates the pairs (i, i + turned / 2) of each head of x [T, heads, D]; elements beyond those that are turned stay. */
function addTurn(
	graph: GraphBuilder,
	{ cos, sin, half }: Surroundings['angles'][number],
	headDim: number,
	x: string,
): string {
	const rest = headDim - 2 * half;
	const sizes = rest === 0 ? [half, half] : [half, half, rest];
	const parts = graph.nodes('Split', [x, graph.integers(...sizes)], sizes.length, { axis: 2 });
	const [first, second, ...kept] = parts as [string, string, ...string[]]; // [T, heads, half] twice, [T, heads, rest]
	const times = (a: string, b: string) => graph.node('Mul', [a, b]);
	const left = graph.node('Sub', [times(first, cos), times(second, sin)]); // [T, heads, half]
	const right = graph.node('Add', [times(second, cos), times(first, sin)]); // [T, heads, half]
	return graph.node('Concat', [left, right, ...kept], { axis: 2 });
}

/** x [T, H] → [T, H] */
function addMlp(around: Surroundings, mlp: Mlp, x: string): string {
	const { graph } = around;
	const times = (a: string, b: string) => graph.node('Mul', [a, b]);
	switch (mlp.kind) {
		case 'gated': {
			const gate = addActivation(graph, 'silu', addLinear(around, mlp.gate, x)); // [T, I]
			return addLinear(around, mlp.down, times(gate, addLinear(around, mlp.up, x)));
		}
		case 'gatedHalves': {
			const size = (mlp.halves.weight as Tensor).shape[0]! / 2;
			const all = addLinear(around, mlp.halves, x); // [T, 2 × I]
			const [a, b] = graph.nodes('Split', [all, graph.integers(size, size)], 2, { axis: 1 });
			return addLinear(around, mlp.down, times(addActivation(graph, mlp.activation, a!), b!));
		}
		case 'plain':
			return addLinear(around, mlp.down, addActivation(graph, mlp.activation, addLinear(around, mlp.up, x)));
	}
}

function addActivation(graph: GraphBuilder, kind: Activation, x: string): string {
	const times = (a: string, b: string) => graph.node('Mul', [a, b]);
	const halfOf = (y: string) => times(times(x, graph.number(0.5)), graph.node('Add', [y, graph.number(1)]));
	switch (kind) {
		case 'silu':
			return times(x, graph.node('Sigmoid', [x]));
		case 'tanh':
			return graph.node('Tanh', [x]);
		case 'gelu':
			return halfOf(graph.node('Erf', [times(x, graph.number(Math.SQRT1_2))]));
		case 'geluTanh': {
			const cube = times(times(times(x, x), x), graph.number(0.044715));
			const inner = times(graph.node('Add', [x, cube]), graph.number(Math.sqrt(2 / Math.PI)));
			return halfOf(graph.node('Tanh', [inner]));
		}
	}
}
