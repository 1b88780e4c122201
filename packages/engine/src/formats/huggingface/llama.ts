import { keyTable } from '../known-keys.ts';
import { parseCommon, type TransformerConfig } from './common-config.ts';
import { commonConfigKeys, foreignConfigKeys, neutralConfigKeys } from './config-keys.ts';
import type { ExpectedTensor } from './expected-tensor.ts';
import type { Fields } from './fields.ts';
import { parseQuantization } from './quantization-config.ts';
import { parseRope, type RopeConfig, ropeConfigKeys } from './rope-scaling.ts';

/** A model of Llama's shape: RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
export interface LlamaConfig extends TransformerConfig, RopeConfig {
	readonly architecture: 'llama';
	readonly rmsNormEpsilon: number;
	/** Biases on q, k, v and o. */
	readonly attentionBias: boolean;
	/** Biases on gate, up and down. */
	readonly mlpBias: boolean;
}

/** The keys of config.json. */
export const llamaConfigKeys = keyTable({
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
export function parseLlamaConfig(fields: Fields, modelType: keyof typeof defaults): LlamaConfig {
	fields.refuseOthers(llamaConfigKeys);
	const { keyValueHeads, maxPositions, window } = defaults[modelType];
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

/** Every tensor of `LlamaForCausalLM` with this config, in the order in which a forward pass uses them. */
export function llamaTensors(config: LlamaConfig): readonly ExpectedTensor[] {
	const { hiddenSize, vocabularySize, layers, languageHead } = config;
	const tensors: ExpectedTensor[] = [
		{ name: 'model.embed_tokens.weight', shape: [vocabularySize, hiddenSize], kind: 'embedding' },
	];
	for (let layer = 0; layer < layers; layer++) tensors.push(...layerTensors(config, layer));
	tensors.push({ name: 'model.norm.weight', shape: [hiddenSize], kind: 'norm' });
	if (languageHead === 'own') {
		tensors.push({ name: 'lm_head.weight', shape: [vocabularySize, hiddenSize], kind: 'head' });
	}
	return tensors;
}

function layerTensors(config: LlamaConfig, layer: number): readonly ExpectedTensor[] {
	const { hiddenSize, intermediateSize, heads, keyValueHeads, headDim, attentionBias, mlpBias } = config;
	const prefix = `model.layers.${layer}`;
	const norm = (name: string): ExpectedTensor => ({
		name: `${prefix}.${name}.weight`,
		shape: [hiddenSize],
		kind: 'norm',
	});
	// Weights are [outputs, inputs].
	const linear = (name: string, outputs: number, inputs: number, hasBias: boolean): ExpectedTensor[] => {
		const weight: ExpectedTensor = {
			name: `${prefix}.${name}.weight`,
			shape: [outputs, inputs],
			kind: 'linear',
		};
		return hasBias ? [weight, { name: `${prefix}.${name}.bias`, shape: [outputs], kind: 'bias' }] : [weight];
	};
	return [
		norm('input_layernorm'),
		...linear('self_attn.q_proj', heads * headDim, hiddenSize, attentionBias),
		...linear('self_attn.k_proj', keyValueHeads * headDim, hiddenSize, attentionBias),
		...linear('self_attn.v_proj', keyValueHeads * headDim, hiddenSize, attentionBias),
		...linear('self_attn.o_proj', hiddenSize, heads * headDim, attentionBias),
		norm('post_attention_layernorm'),
		...linear('mlp.gate_proj', intermediateSize, hiddenSize, mlpBias),
		...linear('mlp.up_proj', intermediateSize, hiddenSize, mlpBias),
		...linear('mlp.down_proj', hiddenSize, intermediateSize, mlpBias),
	];
}
