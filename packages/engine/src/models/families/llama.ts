import { parseCommon } from '../../formats/huggingface/common-config.ts';
import {
	commonConfigKeys,
	foreignConfigKeys,
	neutralConfigKeys,
} from '../../formats/huggingface/config-keys.ts';
import type { Fields } from '../../formats/huggingface/fields.ts';
import { parseQuantization } from '../../formats/huggingface/quantization-config.ts';
import { parseRope, type RopeConfig, ropeConfigKeys } from '../../formats/huggingface/rope-scaling.ts';
import { keyTable } from '../../formats/known-keys.ts';
import type { Block } from '../../layers/block.ts';
import { inverseFrequencies } from '../../layers/rope-table.ts';
import type { Family, ModelConfig } from '../family.ts';
import type { Placement } from '../placement.ts';
import { outputMatrix, type TransformerWeights } from '../transformer.ts';

/** A model of Llama's shape: RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
interface LlamaConfig extends ModelConfig, RopeConfig {
	readonly rmsNormEpsilon: number;
	/** Biases on q, k, v and o. */
	readonly attentionBias: boolean;
	/** Biases on gate, up and down. */
	readonly mlpBias: boolean;
}

/** The keys of config.json. */
const keys = keyTable({
	used: [
		...commonConfigKeys,
		...ropeConfigKeys,
		...['attention_bias', 'hidden_act', 'layer_types', 'mlp_bias', 'rms_norm_eps', 'sliding_window'],
	],
	// where a window is, positions end: it makes no difference how many layers use it
	neutral: [...neutralConfigKeys, 'max_window_layers', 'use_sliding_window'],
	off: foreignConfigKeys,
	only: { is_causal: [true] },
});

/** Where the two model types differ when config.json leaves a field out. */
const defaults = {
	llama: { keyValueHeads: undefined, maxPositions: 2048, window: Number.POSITIVE_INFINITY },
	mistral: { keyValueHeads: 8, maxPositions: 131_072, window: 4096 },
} as const;

/** Reads config.json of `LlamaForCausalLM` and, as far as its shape is the same, `MistralForCausalLM`. */
function parse(fields: Fields, modelType: string): LlamaConfig {
	const { keyValueHeads, maxPositions, window } = defaults[modelType as keyof typeof defaults];
	const common = parseCommon(fields, fields.isNull('num_key_value_heads') ? undefined : keyValueHeads);
	checkLayerTypes(fields, common.layers);
	const rope = parseRope(fields, maxPositions);
	const activation = fields.text('hidden_act') ?? 'silu';
	if (activation !== 'silu' && activation !== 'swish') {
		throw fields.error('hidden_act', `silu is expected, found ${JSON.stringify(activation)}`);
	}
	if (common.headDim % 2 !== 0) {
		throw fields.error(
			fields.has('head_dim') ? 'head_dim' : 'hidden_size',
			`rotary positions need an even number of elements per head, found ${common.headDim}`,
		);
	}
	return {
		architecture: 'llama',
		causal: true,
		...common,
		...rope,
		// Up to the length of its window, sliding-window attention is ordinary attention.
		maxPositions: Math.min(rope.maxPositions, slidingWindow(fields, window)),
		rmsNormEpsilon: fields.positive('rms_norm_eps', 1e-6),
		attentionBias: fields.flag('attention_bias', false),
		mlpBias: fields.flag('mlp_bias', false),
		quantization: parseQuantization(fields),
	};
}

/** null says that there is none; what a file leaves out is the type's default. */
function slidingWindow(fields: Fields, otherwise: number): number {
	if (fields.isNull('sliding_window')) return Number.POSITIVE_INFINITY;
	return fields.has('sliding_window') ? fields.size('sliding_window') : otherwise;
}

function checkLayerTypes(fields: Fields, layers: number): void {
	const types = fields.raw('layer_types');
	if (types === undefined) return;
	const known = ['full_attention', ...(fields.has('sliding_window') ? ['sliding_attention'] : [])];
	if (Array.isArray(types) && types.length === layers && types.every((type) => known.includes(type))) return;
	throw fields.error(
		'layer_types',
		`a list of ${layers} times ${known.join(' or ')} is expected`,
		'Models with layers of other types are not supported: choose another base model.',
	);
}

function weights(config: LlamaConfig, place: Placement): TransformerWeights {
	const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim, vocabularySize } = config;
	const tokens = place.table('model.embed_tokens', vocabularySize, hiddenSize);
	const shape = { heads, keyValueHeads, headDim, causal: true, scale: 1 / Math.sqrt(headDim) };
	const block = (index: number): Block => {
		const name = `model.layers.${index}`;
		const norm = (part: string) => place.rmsNorm(`${name}.${part}`, hiddenSize, config.rmsNormEpsilon);
		const attention = (part: string, outputs: number, inputs: number, writesResidual = false) =>
			place.linear(`${name}.self_attn.${part}`, outputs, inputs, {
				bias: config.attentionBias,
				writesResidual,
			});
		const mlp = (part: string, outputs: number, inputs: number, writesResidual = false) =>
			place.linear(`${name}.mlp.${part}`, outputs, inputs, { bias: config.mlpBias, writesResidual });
		return {
			order: 'preNorm',
			attentionNorm: norm('input_layernorm'),
			attention: {
				projection: {
					query: attention('q_proj', heads * headDim, hiddenSize),
					key: attention('k_proj', keyValueHeads * headDim, hiddenSize),
					value: attention('v_proj', keyValueHeads * headDim, hiddenSize),
					rotary: true,
				},
				output: attention('o_proj', hiddenSize, heads * headDim, true),
				shape,
			},
			mlpNorm: norm('post_attention_layernorm'),
			mlp: {
				kind: 'gated',
				gate: mlp('gate_proj', intermediateSize, hiddenSize),
				up: mlp('up_proj', intermediateSize, hiddenSize),
				down: mlp('down_proj', hiddenSize, intermediateSize, true),
			},
		};
	};
	return {
		embeddings: { tokens },
		blocks: Array.from({ length: config.layers }, (_, index) => block(index)),
		finalNorm: place.rmsNorm('model.norm', hiddenSize, config.rmsNormEpsilon),
		outputMatrix: outputMatrix(config, tokens, () =>
			place.outputMatrix('lm_head', vocabularySize, hiddenSize),
		),
	};
}

/** Llama, Code Llama, WizardCoder-Python, DeepSeek-Coder, SmolLM2, TinyLlama, Mistral. */
export const llama: Family<LlamaConfig> = {
	name: 'llama',
	modelTypes: Object.keys(defaults),
	keys,
	parse,
	weights,
	frequencies: ({ headDim, ropeTheta, ropeScaling }) => inverseFrequencies(headDim, ropeTheta, ropeScaling),
	unread: [/\.rotary_emb\.inv_freq$/, /^qa_outputs\./],
};
