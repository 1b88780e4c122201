import type { View, Weight } from '../backends/contract.ts';
import { receivedAttention } from '../layers/attention.ts';
import { type Block, transformerBlock } from '../layers/block.ts';
import { type Norm, normalize } from '../layers/norm.ts';
import { anglesAt, type RopeTable } from '../layers/rope-table.ts';
import { add } from '../ops/add.ts';
import { convert } from '../ops/convert.ts';
import { gatherRows } from '../ops/gather-rows.ts';
import { type Checkpointing, checkpoint, scoped } from '../tensor/checkpoint.ts';
import { uploadIndices } from '../tensor/indices.ts';
import { type Context, release, type Tensor } from '../tensor/tensor.ts';
import { linearsOf, mapLinears } from './block-linears.ts';
import {
	checkBidirectional,
	checkPrefix,
	type ForwardOptions,
	type Model,
	type ModelConfig,
	type PackTensors,
} from './model.ts';
import type { Placement } from './placement.ts';

/** The weights of a transformer, as a family puts them together. */
export interface TransformerWeights {
	readonly embeddings: {
		/** [V, H] */
		readonly tokens: Tensor;
		/** [P, H]: learned positions, row 0 being the first token's. */
		readonly positions?: Tensor;
		/** [types, H], of which every token has type 0. */
		readonly types?: Tensor;
		readonly norm?: Norm;
	};
	readonly blocks: readonly Block[];
	readonly finalNorm?: Norm;
	/** [V, H] */
	readonly outputMatrix: Weight | Tensor | undefined;
}

/** The matrix from states to logits: one of its own, the embedding once more, or none. */
export function outputMatrix(
	{ languageHead, vocabularySize, hiddenSize }: ModelConfig,
	place: Placement,
	embedding: Tensor,
	name: string,
): Weight | Tensor | undefined {
	if (languageHead === 'absent') return undefined;
	return languageHead === 'tied' ? embedding : place.outputMatrix(name, vocabularySize, hiddenSize);
}

/** The model of these weights, with the angles of its positions where they are rotary: a table, or one for each kind of layer. */
export function transformer(
	config: ModelConfig,
	weights: TransformerWeights,
	ropeTables: readonly RopeTable[],
): Model {
	return {
		config,
		outputMatrix: weights.outputMatrix,
		linears: linearsOf(weights.blocks),
		hidden: (context, pack, options = {}) => hidden(context, weights, ropeTables, pack, options),
		receivedAttention: (context, pack) => received(context, weights, ropeTables, pack),
		replaceLinears: (replace) =>
			transformer(config, { ...weights, blocks: mapLinears(weights.blocks, replace) }, ropeTables),
		prefixLength: weights.blocks[0]?.attention.prefix?.key.shape[0] ?? 0,
		withBidirectionalLayers(count) {
			checkBidirectional(config, count);
			const first = weights.blocks.length - count;
			const blocks = weights.blocks.map((block, index) => (index < first ? block : seeingBothWays(block)));
			return transformer(config, { ...weights, blocks }, ropeTables);
		},
		frozenBlocks: frozenBlocks(weights),
		withPrefix(prefixes) {
			checkPrefix(config, weights.blocks);
			const blocks = weights.blocks.map((block, index) => ({
				...block,
				attention: { ...block.attention, prefix: prefixes[index]! },
			}));
			return transformer(config, { ...weights, blocks }, ropeTables);
		},
	};
}

function hidden(
	context: Context,
	{ embeddings, blocks, finalNorm }: TransformerWeights,
	ropeTables: readonly RopeTable[],
	pack: PackTensors,
	options: ForwardOptions,
): Tensor {
	const angles = ropeTables.map((table) => anglesAt(context, table, pack.positions));
	const turning: readonly View[] = angles.flatMap(({ cos, sin }) => [cos, sin]);
	// what lies in front of a text is read by every block too
	const { segments, own } = pack.prefixed ?? {};
	const before = segments === undefined ? [] : [segments.starts, segments.parents!, own!];
	const read = [...turning, ...before];
	const { start } = options;
	let x = start === undefined ? enteringFirst(context, embeddings, pack, options) : start.states; // [T, H]
	for (const [index, block] of blocks.entries()) {
		if (index < (start?.block ?? 0)) continue;
		const rows = index === blocks.length - 1 ? options.rows : undefined;
		const run = (inner: Context, input: Tensor) =>
			transformerBlock(inner, block, input, angles[block.attention.turnedBy ?? 0], pack, rows);
		const uses = rows === undefined ? read : [...read, rows];
		const next = runBlock(context, x, uses, run, options.checkpointing ?? false); // [T, H], at last [T or R, H]
		release(context, x);
		x = next;
		options.observe?.(index + 1, x);
	}
	release(context, ...turning);
	const last = finalNorm === undefined ? x : normalize(context, x, finalNorm); // [T or R, H]
	if (last !== x) release(context, x);
	const states = convert(context, last, 'f32'); // [T or R, H]
	release(context, last);
	return states;
}

/** What enters the first block, [T, H]: the embedded tokens, or what `enter` makes of them. */
function enteringFirst(
	context: Context,
	embeddings: TransformerWeights['embeddings'],
	pack: PackTensors,
	{ enter, observe }: ForwardOptions,
): Tensor {
	const embedded = embed(context, embeddings, pack); // [T, H]
	const x = enter === undefined ? embedded : enter(embedded); // [T, H]
	observe?.(0, x);
	return x;
}

/** How much each token is attended to in the first block, [T]. */
function received(
	context: Context,
	{ embeddings, blocks }: TransformerWeights,
	ropeTables: readonly RopeTable[],
	pack: PackTensors,
): Float64Array {
	const { order, attentionNorm, attention } = blocks[0]!;
	const plain: Context = { ...context, tape: undefined };
	const table = ropeTables[attention.turnedBy ?? 0];
	const angles = table === undefined ? undefined : anglesAt(plain, table, pack.positions);
	const x = embed(plain, embeddings, pack); // [T, H]
	const isNormed = order !== 'postNorm' && attentionNorm !== undefined;
	const input = isNormed ? normalize(plain, x, attentionNorm) : x; // [T, H]
	const sums = receivedAttention(context, attention, input, angles, pack.segments); // [T]
	release(
		context,
		x,
		...(isNormed ? [input] : []),
		...(angles === undefined ? [] : [angles.cos, angles.sin]),
	);
	return sums;
}

/** Tokens with what is added to them, [T, H]. */
function embed(
	context: Context,
	{ tokens, positions, types, norm }: TransformerWeights['embeddings'],
	pack: PackTensors,
): Tensor {
	let x = gatherRows(context, tokens, pack.ids); // [T, H]
	const plus = (rows: Tensor) => {
		const sum = add(context, x, rows); // [T, H]
		release(context, x, rows);
		x = sum;
	};
	if (types !== undefined) {
		const first = uploadIndices(context, new Int32Array(pack.segments.tokens)); // [T]
		plus(gatherRows(context, types, first)); // [T, H]
		release(context, first);
	}
	if (positions !== undefined) plus(gatherRows(context, positions, pack.positions)); // [T, H]
	if (norm === undefined) return x;
	const normed = normalize(context, x, norm); // [T, H]
	release(context, x);
	return normed;
}

function runBlock(
	context: Context,
	x: Tensor,
	uses: readonly View[],
	run: (context: Context, x: Tensor) => Tensor,
	checkpointing: Checkpointing,
): Tensor {
	if (context.tape === undefined) return scoped(context, (inner) => run(inner, x));
	if (checkpointing === false) return run(context, x);
	return checkpoint(context, x, uses, run, checkpointing === 'host');
}

/** Where the embeddings are frozen, adapters and prefixes are all that may be trained. */
function frozenBlocks({ embeddings, blocks }: TransformerWeights): number {
	if (embeddings.tokens.tracked) return 0;
	const isTrained = (block: Block) =>
		block.attention.prefix !== undefined || linearsOf([block]).some(({ lora }) => lora !== undefined);
	const lowest = blocks.findIndex(isTrained);
	return lowest < 0 ? blocks.length : lowest;
}

function seeingBothWays(block: Block): Block {
	const { attention } = block;
	return { ...block, attention: { ...attention, shape: { ...attention.shape, causal: false } } };
}
