import type { AttentionShape, Indices, Segments } from '../backends/contract.ts';
import { attention, fusedAttention } from '../ops/attention.ts';
import { concatRows } from '../ops/concat-rows.ts';
import { convert } from '../ops/convert.ts';
import { gatherRows } from '../ops/gather-rows.ts';
import { linear, linears } from '../ops/linear.ts';
import { type Angles, rope } from '../ops/rope.ts';
import { splitColumns } from '../ops/split-columns.ts';
import { Tape } from '../tensor/tape.ts';
import { allocate, type Context, constant, release, type Tensor } from '../tensor/tensor.ts';
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
		| { readonly interleaved: LinearLayer } // [heads × 3 × D, H]
		/** All queries, all keys and all values one after the other in one matrix; queries and keys are turned by their positions. */
		| { readonly stacked: LinearLayer }; // [3 × heads × D, H]
	/** Which of the model's tables of angles turns queries and keys; the first by default. */
	readonly turnedBy?: number;
	readonly shape: AttentionShape;
	/** Keys and values that each token sees before those of the text, turned by nothing (Li & Liang 2021). Not with `fused`. */
	readonly prefix?: { readonly key: Tensor; readonly value: Tensor }; // [P, keyValueHeads × D] each
	readonly output: LinearLayer; // [H, heads × D]
}

/** Which tokens see which. */
export interface Sight {
	readonly segments: Segments;
	/** The same with the P places of a prefix in front, which all others see, and the rows of the text in it. */
	readonly prefixed?: { readonly segments: Segments; readonly own: Indices } | undefined;
}

/** What each token of x [T, H] sees of the others: [T, heads × D], before the output matrix. */
export function attend(
	context: Context,
	{ projection, shape, prefix }: Attention,
	x: Tensor,
	angles: Angles | undefined,
	sight: Sight,
): Tensor {
	const { segments } = sight;
	if ('fused' in projection) {
		const qkv = linear(context, x, projection.fused); // [T, (heads + 2 × keyValueHeads) × D]
		const seen = fusedAttention(context, qkv, segments, shape); // [T, heads × D]
		release(context, qkv);
		return seen;
	}
	const projected = turnedProjection(context, projection, shape, x, angles);
	if (prefix !== undefined) return attendPrefixed(context, projected, prefix, sight, shape);
	const { query, key, value } = projected;
	const seen = attention(context, query, key, value, segments, shape); // [T, heads × D]
	release(context, query, key, value);
	return seen;
}

/** Releases what was projected. The prefix is a segment in front, the parent of all others; it asks for nothing. */
function attendPrefixed(
	context: Context,
	{ query, key, value }: { readonly query: Tensor; readonly key: Tensor; readonly value: Tensor },
	prefix: NonNullable<Attention['prefix']>,
	{ prefixed }: Sight,
	shape: AttentionShape,
): Tensor {
	const nothing = allocate(context, [prefix.key.shape[0]!, query.shape[1]!], false, query.dtype); // [P, heads × D]
	context.backend.fill(nothing, 0);
	const queries = concatRows(context, nothing, query); // [P + T, heads × D]
	const [before, beside] = [prefix.key, prefix.value].map((trained) => convert(context, trained, key.dtype)); // [P, keyValueHeads × D]
	const keys = concatRows(context, before!, key); // [P + T, keyValueHeads × D]
	const values = concatRows(context, beside!, value); // [P + T, keyValueHeads × D]
	release(context, nothing, before!, beside!, query, key, value);
	const all = attention(context, queries, keys, values, prefixed!.segments, shape); // [P + T, heads × D]
	release(context, queries, keys, values);
	const seen = gatherRows(context, all, prefixed!.own); // [T, heads × D]
	release(context, all);
	return seen;
}

type Separable = Exclude<Attention['projection'], { fused: LinearLayer }>;

/** Queries [T, heads × D], keys and values [T, keyValueHeads × D] of x [T, H], the first two turned where positions are rotary. */
function turnedProjection(
	context: Context,
	projection: Separable,
	shape: AttentionShape,
	x: Tensor,
	angles: Angles | undefined,
): { readonly query: Tensor; readonly key: Tensor; readonly value: Tensor } {
	const [query, key, value] = project(context, projection, shape, x); // [T, heads or keyValueHeads × D]
	if ('rotary' in projection && !projection.rotary) return { query, key, value };
	const turned = (plain: Tensor) => {
		const y = rope(context, plain, angles!, shape.headDim);
		release(context, plain);
		return y;
	};
	return { query: turned(query), key: turned(key), value };
}

/**
 * How much all tokens and heads attend to each token of x [T, H]: the sum over heads and queries of the softmax, [T] on the host.
 * Where values are all 1 that is the gradient of the sum of what is seen, so that no T × T matrix is made here either.
 */
export function receivedAttention(
	context: Context,
	{ projection, shape }: Attention,
	x: Tensor,
	angles: Angles | undefined,
	segments: Segments,
): Float64Array {
	if ('fused' in projection) throw new TypeError('received attention is of queries, keys and values apart');
	const { backend } = context;
	const plain: Context = { ...context, tape: undefined };
	const { query, key, value } = turnedProjection(plain, projection, shape, constant(x), angles);
	const gradient = allocate(context, value.shape, false, value.dtype); // [T, keyValueHeads × D]
	backend.fill(gradient, 0);
	backend.fill(value, 1);
	const tape = new Tape();
	const inner: Context = { ...context, tape };
	const ones: Tensor = { ...value, tracked: true, gradient };
	const seen = attention(inner, constant(query), constant(key), ones, segments, shape); // [T, heads × D]
	const dSeen = allocate(context, seen.shape, false, seen.dtype); // [T, heads × D]
	backend.fill(dSeen, 1);
	tape.backward(inner, seen, dSeen);
	const [tokens, width] = value.shape as readonly [number, number];
	const sums = convert(plain, gradient, 'f32'); // [T, keyValueHeads × D]
	const received = backend.download(sums);
	release(context, query, key, value, gradient, sums, seen, dSeen);
	// each of the D columns of a head holds the same
	return Float64Array.from({ length: tokens }, (_, token) => {
		let sum = 0;
		for (let column = 0; column < width; column += shape.headDim) sum += received[token * width + column]!;
		return sum;
	});
}

/** Queries, keys and values before they are turned. */
function project(
	context: Context,
	projection: Separable,
	{ heads, keyValueHeads }: AttentionShape,
	x: Tensor,
): readonly [query: Tensor, key: Tensor, value: Tensor] {
	if (!('rotary' in projection)) {
		const isInterleaved = 'interleaved' in projection;
		const all = linear(context, x, isInterleaved ? projection.interleaved : projection.stacked); // [T, heads × 3 × D]
		const parts = splitColumns(context, all, isInterleaved ? heads : 1, 3); // [T, heads × D] each
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
