import type { Indices, Segments } from '../backends/contract.ts';
import { add } from '../ops/add.ts';
import { attention } from '../ops/attention.ts';
import { gatherRows } from '../ops/gather-rows.ts';
import { linear, linears } from '../ops/linear.ts';
import { rmsNorm } from '../ops/rms-norm.ts';
import { type Angles, rope } from '../ops/rope.ts';
import { swiglu } from '../ops/swiglu.ts';
import { type Context, release, type Tensor } from '../tensor/tensor.ts';
import type { LinearLayer } from './linear-layer.ts';

/** One block of a Llama decoder: pre-norm attention and a gated feed-forward network, each with a residual. */
export interface DecoderBlock {
	readonly inputNorm: Tensor;
	readonly query: LinearLayer;
	readonly key: LinearLayer;
	readonly value: LinearLayer;
	readonly output: LinearLayer;
	readonly feedForwardNorm: Tensor;
	readonly gate: LinearLayer;
	readonly up: LinearLayer;
	readonly down: LinearLayer;
}

export interface DecoderShape {
	readonly heads: number;
	readonly keyValueHeads: number;
	readonly headDim: number;
	readonly rmsNormEpsilon: number;
}

/**
 * x [T, H] → [T, H]. Doesn't release x.
 *
 * @param rows i32 [R]: the only rows that are wanted of the result, then [R, H]; what follows the attention is computed for
 *   them alone
 */
export function decoderBlock(
	context: Context,
	block: DecoderBlock,
	shape: DecoderShape,
	x: Tensor,
	angles: Angles,
	segments: Segments,
	rows?: Indices,
): Tensor {
	const mixed = mixTokens(context, block, shape, x, angles, segments); // [T, heads × D]
	if (rows === undefined) {
		const out = finishTokens(context, block, shape, x, mixed); // [T, H]
		release(context, mixed);
		return out;
	}
	const wanted = gatherRows(context, x, rows); // [R, H]
	const wantedMixed = gatherRows(context, mixed, rows); // [R, heads × D]
	release(context, mixed);
	const out = finishTokens(context, block, shape, wanted, wantedMixed); // [R, H]
	release(context, wanted, wantedMixed);
	return out;
}

/** What each token sees of the others, before the output matrix. */
function mixTokens(
	context: Context,
	block: DecoderBlock,
	shape: DecoderShape,
	x: Tensor,
	angles: Angles,
	segments: Segments,
): Tensor {
	const { heads, keyValueHeads, headDim } = shape;
	const normed = rmsNorm(context, x, block.inputNorm, shape.rmsNormEpsilon); // [T, H]
	const [plainQuery, plainKey, value] = linears(context, normed, [
		block.query, // [T, heads × D]
		block.key, // [T, keyValueHeads × D]
		block.value, // [T, keyValueHeads × D]
	]);
	release(context, normed);
	const query = rope(context, plainQuery, angles, headDim); // [T, heads × D]
	const key = rope(context, plainKey, angles, headDim); // [T, keyValueHeads × D]
	release(context, plainQuery, plainKey);
	const mixed = attention(context, query, key, value, segments, {
		heads,
		keyValueHeads,
		headDim,
		causal: true,
		scale: 1 / Math.sqrt(headDim),
	}); // [T, heads × D]
	release(context, query, key, value);
	return mixed;
}

/** The rest of the block, token by token. */
function finishTokens(
	context: Context,
	block: DecoderBlock,
	shape: DecoderShape,
	x: Tensor,
	mixed: Tensor,
): Tensor {
	const attended = linear(context, mixed, block.output); // [T, H]
	const middle = add(context, x, attended); // [T, H]
	release(context, attended);
	const fed = feedForwardPart(context, block, shape, middle); // [T, H]
	const out = add(context, middle, fed); // [T, H]
	release(context, middle, fed);
	return out;
}

function feedForwardPart(context: Context, block: DecoderBlock, shape: DecoderShape, x: Tensor): Tensor {
	const normed = rmsNorm(context, x, block.feedForwardNorm, shape.rmsNormEpsilon); // [T, H]
	const [gate, up] = linears(context, normed, [block.gate, block.up]); // [T, I] each
	release(context, normed);
	const gated = swiglu(context, gate, up); // [T, I]
	release(context, gate, up);
	const out = linear(context, gated, block.down); // [T, H]
	release(context, gated);
	return out;
}
