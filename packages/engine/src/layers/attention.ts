import type { AttentionShape, Segments } from '../backends/contract.ts';
import { attention, fusedAttention } from '../ops/attention.ts';
import { linear, linears } from '../ops/linear.ts';
import { type Angles, rope } from '../ops/rope.ts';
import { splitColumns } from '../ops/split-columns.ts';
import { type Context, release, type Tensor } from '../tensor/tensor.ts';
import type { LinearLayer } from './linear-layer.ts';
import { type HeadNorm, normalizeHeads } from './norm.ts';

/** Multi-head attention without its output matrix. */
export interface Attention {
	readonly projection:
		| {
				readonly query: LinearLayer; // [heads × D, H]
				readonly key: LinearLayer; // [keyValueHeads × D, H]
				readonly value: LinearLayer; // [keyValueHeads × D, H]
				/** Whether queries and keys are turned by their positions. */
				readonly rotary: boolean;
				/** Norms of each head's queries and keys, before they are turned. */
				readonly headNorms?: { readonly query: HeadNorm; readonly key: HeadNorm } | undefined;
		  }
		/** Queries, keys and values from one matrix, in this order; none is turned. */
		| { readonly fused: LinearLayer } // [(heads + 2 × keyValueHeads) × D, H]
		/** Query, key and value of each head side by side in one matrix; queries and keys are turned by their positions. */
		| { readonly interleaved: LinearLayer }; // [heads × 3 × D, H]
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
	const [plainQuery, plainKey, value] = project(context, projection, shape, x); // [T, heads or keyValueHeads × D]
	const isTurned = 'interleaved' in projection || projection.rotary;
	const turned = (plain: Tensor) => {
		if (!isTurned) return plain;
		const y = rope(context, plain, angles!, shape.headDim);
		release(context, plain);
		return y;
	};
	const query = turned(plainQuery); // [T, heads × D]
	const key = turned(plainKey); // [T, keyValueHeads × D]
	const seen = attention(context, query, key, value, segments, shape); // [T, heads × D]
	release(context, query, key, value);
	return seen;
}

/** Queries, keys and values before they are turned. */
function project(
	context: Context,
	projection: Exclude<Attention['projection'], { fused: LinearLayer }>,
	{ heads, keyValueHeads }: AttentionShape,
	x: Tensor,
): readonly [query: Tensor, key: Tensor, value: Tensor] {
	if ('interleaved' in projection) {
		const all = linear(context, x, projection.interleaved); // [T, heads × 3 × D]
		const parts = splitColumns(context, all, heads, 3); // [T, heads × D] each
		release(context, all);
		return parts as [Tensor, Tensor, Tensor];
	}
	const { query, key, value, headNorms } = projection;
	const [plainQuery, plainKey, values] = linears(context, x, [query, key, value]); // [T, heads or keyValueHeads × D]
	if (headNorms === undefined) return [plainQuery, plainKey, values];
	const normedQuery = normalizeHeads(context, plainQuery, headNorms.query, heads); // [T, heads × D]
	const normedKey = normalizeHeads(context, plainKey, headNorms.key, keyValueHeads); // [T, keyValueHeads × D]
	release(context, plainQuery, plainKey);
	return [normedQuery, normedKey, values];
}
