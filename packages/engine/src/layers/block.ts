import type { Indices } from '../backends/contract.ts';
import { add } from '../ops/add.ts';
import { gatherRows } from '../ops/gather-rows.ts';
import { linear } from '../ops/linear.ts';
import type { Angles } from '../ops/rope.ts';
import { type Context, release, type Tensor } from '../tensor/tensor.ts';
import { type Attention, attend, type Sight } from './attention.ts';
import { feedForward, type Mlp } from './mlp.ts';
import { type Norm, normalize } from './norm.ts';

/**
 * One block of a transformer: attention and a feed-forward network, each with a residual and a norm. `order` says whether a norm
 * comes before what it belongs to (Radford et al. 2019) or after its residual (Vaswani et al. 2017), or both parts read the block's
 * input, each through its norm (Wang & Komatsuzaki 2021).
 */
export type Block = {
	readonly attention: Attention;
	readonly mlpNorm: Norm;
	readonly mlp: Mlp;
} & (
	| { readonly order: 'postNorm'; readonly attentionNorm: Norm }
	/** Without a norm of the attention's, the block's input is normalised already. */
	| { readonly order: 'preNorm' | 'parallel'; readonly attentionNorm: Norm | undefined }
);

/**
 * x [T, H] → [T, H]. Doesn't release x.
 *
 * @param rows i32 [R]: the only rows that are wanted of the result, then [R, H]; what follows the attention is computed for
 *   them alone
 */
export function transformerBlock(
	context: Context,
	block: Block,
	x: Tensor,
	angles: Angles | undefined,
	sight: Sight,
	rows?: Indices,
): Tensor {
	const seen = seenBy(context, block, x, angles, sight); // [T, heads × D]
	if (rows === undefined) {
		const out = afterAttention(context, block, x, seen); // [T, H]
		release(context, seen);
		return out;
	}
	const wanted = gatherRows(context, x, rows); // [R, H]
	const wantedSeen = gatherRows(context, seen, rows); // [R, heads × D]
	release(context, seen);
	const out = afterAttention(context, block, wanted, wantedSeen); // [R, H]
	release(context, wanted, wantedSeen);
	return out;
}

function seenBy(
	context: Context,
	{ order, attentionNorm, attention }: Block,
	x: Tensor,
	angles: Angles | undefined,
	sight: Sight,
): Tensor {
	if (order === 'postNorm' || attentionNorm === undefined)
		return attend(context, attention, x, angles, sight);
	const normed = normalize(context, x, attentionNorm); // [T, H]
	const seen = attend(context, attention, normed, angles, sight); // [T, heads × D]
	release(context, normed);
	return seen;
}

/** The rest of the block, token by token. */
function afterAttention(context: Context, block: Block, x: Tensor, seen: Tensor): Tensor {
	const attended = linear(context, seen, block.attention.output); // [T, H]
	const sum = add(context, x, attended); // [T, H]
	release(context, attended);
	if (block.order === 'postNorm') return mlpBeforeNorm(context, block, sum);
	return mlpAfterNorm(context, block, block.order === 'parallel' ? x : sum, sum);
}

/** Releases the sum of the block's input and its attention, to which the network's output is added. */
function mlpAfterNorm(context: Context, { mlpNorm, mlp }: Block, input: Tensor, sum: Tensor): Tensor {
	const normed = normalize(context, input, mlpNorm); // [T, H]
	const fed = feedForward(context, mlp, normed); // [T, H]
	release(context, normed);
	const out = add(context, sum, fed); // [T, H]
	release(context, sum, fed);
	return out;
}

/** Releases the sum of the block's input and its attention. */
function mlpBeforeNorm(
	context: Context,
	{ attentionNorm, mlpNorm, mlp }: Block & { order: 'postNorm' },
	sum: Tensor,
): Tensor {
	const x = normalize(context, sum, attentionNorm); // [T, H]
	release(context, sum);
	const fed = feedForward(context, mlp, x); // [T, H]
	const second = add(context, x, fed); // [T, H]
	release(context, x, fed);
	const out = normalize(context, second, mlpNorm); // [T, H]
	release(context, second);
	return out;
}
