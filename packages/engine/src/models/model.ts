import type { Indices, Weight } from '../backends/contract.ts';
import { inputError } from '../errors.ts';
import type { TransformerConfig } from '../formats/huggingface/common-config.ts';
import type { Attention, Sight } from '../layers/attention.ts';
import type { Block } from '../layers/block.ts';
import type { LinearLayer } from '../layers/linear-layer.ts';
import type { Checkpointing } from '../tensor/checkpoint.ts';
import type { Context, Tensor } from '../tensor/tensor.ts';

/** The shape of a model, as plain data; a family's own config has more. */
export interface ModelConfig extends TransformerConfig {
	/** The family's name. */
	readonly architecture: string;
	/** Tokens of the longest sequence that it reads. */
	readonly maxPositions: number;
	/** Whether a token sees earlier ones alone: a decoder. Both ways is an encoder, whose texts begin with a token of their own. */
	readonly causal: boolean;
}

/** A language model of any family, with its weights in a backend's memory. */
export interface Model {
	readonly config: ModelConfig;
	/** Hidden states f32 [T, H] of a pack after the last norm, or [R, H] of the wanted rows: losses and heads are no activations. */
	hidden(context: Context, pack: PackTensors, options?: ForwardOptions): Tensor;
	/**
	 * How much each token of a pack is attended to in the first block: summed over heads and the tokens that attend, [T] on the host.
	 * Of an encoder; a decoder's first tokens are seen by all others, whatever they are.
	 */
	receivedAttention(context: Context, pack: PackTensors): Float64Array;
	/** Every matrix that an adapter may be attached to, in the order of the checkpoint. */
	readonly linears: readonly LinearLayer[];
	/** The same model with some of these replaced, by name: how adapters are attached. The weights are shared. */
	replaceLinears(replace: (layer: LinearLayer) => LinearLayer): Model;
	/**
	 * The same model with keys and values in front of every text, one pair for each block; packs then have `prefixed`, and
	 * positions that begin behind it. Throws PREFIX_UNAVAILABLE for an encoder, and for queries, keys and values from one matrix.
	 */
	withPrefix(prefixes: readonly NonNullable<Attention['prefix']>[]): Model;
	/** P, 0 without a prefix. */
	readonly prefixLength: number;
	/**
	 * The same model, except that in its last `count` blocks a token also sees those after it (BehnamGhader et al. 2024, LLM2Vec). Throws
	 * BIDIRECTIONAL_UNAVAILABLE for an encoder, and for more blocks than there are.
	 */
	withBidirectionalLayers(count: number): Model;
	/** Blocks below the lowest one in which something is trained, all of them where nothing is; 0 where the embeddings are trained. */
	readonly frozenBlocks: number;
	/** [V, H], from states to logits; undefined where the checkpoint has none (encoders, classifiers). */
	readonly outputMatrix: Weight | Tensor | undefined;
}

/** A pack on the device: tokens of all its functions one after the other. */
export interface PackTensors extends Sight {
	/** i32 [T] */
	readonly ids: Indices;
	/** i32 [T], restarting at 0 with each segment unless it has a parent, whose positions it continues, or the pack is leaky. */
	readonly positions: Indices;
}

export interface ForwardOptions {
	/** Whether one block's intermediates are kept at a time and blocks are computed again in the backward pass; by default not. */
	readonly checkpointing?: Checkpointing;
	/** i32 [R]: the only rows that are wanted of the result; the last block and norm then leave out what the others need. */
	readonly rows?: Indices | undefined;
	/** Gives what enters the first block instead of x [T, H], of the same type, which it may hold on to. */
	readonly enter?: (x: Tensor) => Tensor;
	/** Begins at a block, counted from 0, with what an earlier pass saw enter it, [T, H]; that is released. */
	readonly start?: { readonly block: number; readonly states: Tensor } | undefined;
	/** Called with what enters the first block (0) and what leaves block k (k = 1 … L). */
	readonly observe?: (layer: number, hidden: Tensor) => void;
}

/** Throws MODEL_HEAD_MISSING where there is no output matrix, as in an encoder or the checkpoint of a classifier. */
export function checkOutputMatrix(config: Pick<ModelConfig, 'languageHead'>, place = 'model'): void {
	if (config.languageHead !== 'absent') return;
	throw inputError('MODEL_HEAD_MISSING', 'the model has no output matrix that gives next tokens', {
		place,
		remedy: 'Use objective: class, which needs none, or the checkpoint of a causal language model.',
	});
}

/** The output matrix [V, H]; throws as `checkOutputMatrix` does. */
export function outputMatrixOf({ config, outputMatrix }: Model): Weight | Tensor {
	checkOutputMatrix(config);
	return outputMatrix!;
}

/** Throws PREFIX_UNAVAILABLE for an encoder, and where the blocks make queries, keys and values by one fused matrix. */
export function checkPrefix(
	{ architecture, causal }: Pick<ModelConfig, 'architecture' | 'causal'>,
	blocks: readonly Block[],
): void {
	const isFused = blocks.some(({ attention }) => 'fused' in attention.projection);
	if (causal && !isFused) return;
	const why = causal ? 'has queries, keys and values in one matrix' : 'is an encoder';
	throw inputError(
		'PREFIX_UNAVAILABLE',
		`a model of the family ${architecture} ${why}: prefix tuning isn't for it here`,
		{
			place: 'method.type',
			remedy: 'Use qlora or lora, or a decoder such as Llama or Qwen.',
		},
	);
}

/** Throws BIDIRECTIONAL_UNAVAILABLE unless the model is a decoder with at least `count` blocks, which can be made to see both ways. */
export function checkBidirectional(
	{ architecture, causal, layers }: Pick<ModelConfig, 'architecture' | 'causal' | 'layers'>,
	count: number,
): void {
	if (count === 0 || (causal && count <= layers)) return;
	const message = causal
		? `the model has ${layers} blocks, not ${count} that could see both ways`
		: `a model of the family ${architecture} is an encoder: all of its blocks see both ways`;
	throw inputError('BIDIRECTIONAL_UNAVAILABLE', message, {
		place: 'method.bidirectionalLayers',
		remedy: causal ? `Give at most ${layers}.` : 'Leave it out.',
	});
}
