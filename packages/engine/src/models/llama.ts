import type { Backend, Indices, Segments, View, Weight } from '../backends/contract.ts';
import { inputError } from '../errors.ts';
import type { LlamaConfig } from '../formats/huggingface/llama.ts';
import { type DecoderBlock, decoderBlock } from '../layers/decoder-block.ts';
import type { LinearLayer } from '../layers/linear-layer.ts';
import { anglesAt, createRopeTable, inverseFrequencies, type RopeTable } from '../layers/rope-table.ts';
import { gatherRows } from '../ops/gather-rows.ts';
import { rmsNorm } from '../ops/rms-norm.ts';
import { checkpoint, scoped } from '../tensor/checkpoint.ts';
import { type Context, release, type Tensor } from '../tensor/tensor.ts';

/** A decoder of the Llama family: CodeLlama, WizardCoder-Python, DeepSeek-Coder, SmolLM2, TinyLlama, Mistral. */
export interface LlamaModel {
	readonly config: LlamaConfig;
	/** [V, H] */
	readonly embedding: Tensor;
	readonly blocks: readonly DecoderBlock[];
	readonly finalNorm: Tensor;
	/** [V, H]; the embedding itself where they are tied, undefined where the checkpoint has none (see `languageHeadOf`). */
	readonly languageHead: Weight | Tensor | undefined;
	readonly ropeTable: RopeTable;
}

/** A pack on the device: tokens of all its functions one after the other. */
export interface PackTensors {
	/** i32 [T] */
	readonly ids: Indices;
	/** i32 [T], restarting at 0 with each segment unless it has a parent, whose positions it continues, or the pack is leaky. */
	readonly positions: Indices;
	readonly segments: Segments;
}

export interface ForwardOptions {
	/** Keep one block's intermediates at a time and compute blocks again in the backward pass. */
	readonly checkpointing?: boolean;
	/** i32 [R]: the only rows that are wanted of the result; the last block and norm then leave out what the others need. */
	readonly rows?: Indices | undefined;
	/** Called with what enters the first block (0) and what leaves block k (k = 1 … L). */
	readonly observe?: (layer: number, hidden: Tensor) => void;
}

/** What stands for a tensor of the checkpoint: frozen in some form, or trainable. */
export type WeightPlacer = (
	name: string,
	role: 'embedding' | 'linear' | 'norm' | 'bias' | 'languageHead',
) => Weight | Tensor;

/** Assembles the model from a checkpoint's tensors, asking `place` for each by its Hugging Face name. */
export function createLlama(
	backend: Backend,
	config: LlamaConfig,
	maxPositions: number,
	place: WeightPlacer,
): LlamaModel {
	const linearLayer = (name: string, hasBias: boolean): LinearLayer => ({
		name,
		weight: place(`${name}.weight`, 'linear'),
		bias: hasBias ? (place(`${name}.bias`, 'bias') as Tensor) : undefined,
		lora: undefined,
	});
	const norm = (name: string) => place(`${name}.weight`, 'norm') as Tensor;
	const embedding = place('model.embed_tokens.weight', 'embedding') as Tensor;
	const blocks = Array.from({ length: config.layers }, (_, index): DecoderBlock => {
		const prefix = `model.layers.${index}`;
		const attention = (part: string) => linearLayer(`${prefix}.self_attn.${part}_proj`, config.attentionBias);
		const feedForward = (part: string) => linearLayer(`${prefix}.mlp.${part}_proj`, config.mlpBias);
		return {
			inputNorm: norm(`${prefix}.input_layernorm`),
			query: attention('q'),
			key: attention('k'),
			value: attention('v'),
			output: attention('o'),
			feedForwardNorm: norm(`${prefix}.post_attention_layernorm`),
			gate: feedForward('gate'),
			up: feedForward('up'),
			down: feedForward('down'),
		};
	});
	const frequencies = inverseFrequencies(config.headDim, config.ropeTheta, config.ropeScaling);
	return {
		config,
		embedding,
		blocks,
		finalNorm: norm('model.norm'),
		languageHead: {
			own: () => place('lm_head.weight', 'languageHead'),
			tied: () => embedding,
			absent: () => undefined,
		}[config.languageHead](),
		ropeTable: createRopeTable(backend, frequencies, maxPositions),
	};
}

/** Throws MODEL_HEAD_MISSING where the checkpoint has no output matrix, as that of a classifier. */
export function checkLanguageHead(config: Pick<LlamaConfig, 'languageHead'>, place = 'model'): void {
	if (config.languageHead !== 'absent') return;
	throw inputError('MODEL_HEAD_MISSING', 'the model has no output matrix: its weights lack lm_head.weight', {
		place,
		remedy: 'Use objective: class, which needs none, or the checkpoint of a language model.',
	});
}

/** The output matrix [V, H]; throws as `checkLanguageHead` does. */
export function languageHeadOf(model: Pick<LlamaModel, 'config' | 'languageHead'>): Weight | Tensor {
	checkLanguageHead(model.config);
	return model.languageHead!;
}

/** Hidden states [T, H] after the final norm, or [R, H] of the wanted rows. */
export function llamaHidden(
	context: Context,
	model: LlamaModel,
	pack: PackTensors,
	options: ForwardOptions = {},
): Tensor {
	const angles = anglesAt(context, model.ropeTable, pack.positions);
	let x = gatherRows(context, model.embedding, pack.ids); // [T, H]
	options.observe?.(0, x);
	for (const [index, block] of model.blocks.entries()) {
		const rows = index === model.blocks.length - 1 ? options.rows : undefined;
		const run = (inner: Context, input: Tensor) =>
			decoderBlock(inner, block, model.config, input, angles, pack.segments, rows);
		const uses = rows === undefined ? [angles.cos, angles.sin] : [angles.cos, angles.sin, rows];
		const next = runBlock(context, x, uses, run, options.checkpointing === true); // [T, H], at last [T or R, H]
		release(context, x);
		x = next;
		options.observe?.(index + 1, x);
	}
	const hidden = rmsNorm(context, x, model.finalNorm, model.config.rmsNormEpsilon); // [T or R, H]
	release(context, x, angles.cos, angles.sin);
	return hidden;
}

function runBlock(
	context: Context,
	x: Tensor,
	uses: readonly View[],
	run: (context: Context, x: Tensor) => Tensor,
	checkpointing: boolean,
): Tensor {
	if (context.tape === undefined) return scoped(context, (inner) => run(inner, x));
	return checkpointing ? checkpoint(context, x, uses, run) : run(context, x);
}

/** Every matrix that an adapter may be attached to, in the order of the checkpoint. */
export function llamaLinears(model: LlamaModel): LinearLayer[] {
	return model.blocks.flatMap((b) => [b.query, b.key, b.value, b.output, b.gate, b.up, b.down]);
}

/** The same model with some matrices replaced, by name: how adapters are attached. */
export function replaceLlamaLinears(
	model: LlamaModel,
	replace: (layer: LinearLayer) => LinearLayer,
): LlamaModel {
	const blocks = model.blocks.map((b) => ({
		...b,
		query: replace(b.query),
		key: replace(b.key),
		value: replace(b.value),
		output: replace(b.output),
		gate: replace(b.gate),
		up: replace(b.up),
		down: replace(b.down),
	}));
	return { ...model, blocks };
}
