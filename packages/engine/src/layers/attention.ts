import type { AttentionShape, Segments } from '../backends/contract.ts';
import { attention, fusedAttention } from '../ops/attention.ts';
import { linear, linears } from '../ops/linear.ts';
import { type Angles, rope } from '../ops/rope.ts';
import { type Context, release, type Tensor } from '../tensor/tensor.ts';
import type { LinearLayer } from './linear-layer.ts';

/** Multi-head attention without its output matrix. */
export interface Attention {
	readonly projection:
		| {
				readonly query: LinearLayer; // [heads × D, H]
				readonly key: LinearLayer; // [keyValueHeads × D, H]
				readonly value: LinearLayer; // [keyValueHeads × D, H]
				/** Whether queries and keys are turned by their positions. */
				readonly rotary: boolean;
		  }
		/** Queries, keys and values from one matrix, in this order. */
		| { readonly fused: LinearLayer }; // [(heads + 2 × keyValueHeads) × D, H]
	readonly shape: AttentionShape;
	readonly output: LinearLayer; // [H, heads × D]
}

/** What each token of x [T, H] sees of the others: [T, heads × D], before the output matrix. */
export function attend(
	context: Context,
	{ projection, shape }: Attention,
	x: Tensor,
	angles: Angles | undefined,
	segments: Segments,
): Tensor {
	if ('fused' in projection) {
		const qkv = linear(context, x, projection.fused); // [T, (heads + 2 × keyValueHeads) × D]
		const seen = fusedAttention(context, qkv, segments, shape); // [T, heads × D]
		release(context, qkv);
		return seen;
	}
	const [plainQuery, plainKey, value] = linears(context, x, [
		projection.query, // [T, heads × D]
		projection.key, // [T, keyValueHeads × D]
		projection.value, // [T, keyValueHeads × D]
	]);
	const turned = (plain: Tensor) =>
		projection.rotary ? rope(context, plain, angles!, shape.headDim) : plain;
	const query = turned(plainQuery); // [T, heads × D]
	const key = turned(plainKey); // [T, keyValueHeads × D]
	if (projection.rotary) release(context, plainQuery, plainKey);
	const seen = attention(context, query, key, value, segments, shape); // [T, heads × D]
	release(context, query, key, value);
	return seen;
}
