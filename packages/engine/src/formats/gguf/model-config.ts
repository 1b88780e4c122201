import { toFloat32 } from '../floats.ts';
import { describeJson, quoteName } from '../json.ts';
import { type KeyTable, keyTable, refuseUnknownKeys } from '../known-keys.ts';
import { architectureNames, findArchitecture, type GgufArchitecture, optionalKeys } from './architecture.ts';
import { unsupportedError } from './gguf-errors.ts';
import type { GgufMetadata, GgufValue } from './metadata.ts';
import type { GgufFile } from './reader.ts';

/** Keys that are not of one architecture. All other `general.` and `quantize.` keys describe the file and how it came about. */
export const generalKeys: KeyTable = keyTable({
	used: ['general.architecture', 'general.alignment'],
	neutral: ['split.no', 'split.tensors.count'],
	only: { 'general.type': ['model'], 'general.quantization_version': [2], 'split.count': [0, 1] },
});

/** The architecture of a file; throws GGUF_UNSUPPORTED for one that isn't known, by its name. */
export function architectureOf({ metadata, path }: Pick<GgufFile, 'metadata' | 'path'>): GgufArchitecture {
	const name = metadata.get('general.architecture');
	const known = typeof name === 'string' ? findArchitecture(name) : undefined;
	if (known !== undefined) return known;
	throw unsupportedError(
		`a model of architecture ${architectureNames.join(', ')} is expected, found ${describeValue(name)}`,
		`${path}: general.architecture`,
	);
}

/**
 * What config.json says of the same model, as transformers writes it. Each key of the metadata is used, known to change nothing, or
 * refused by name; those of the tokenizer are read elsewhere.
 */
export function configOf(file: GgufFile): object {
	const { metadata, tensors, path } = file;
	const architecture = architectureOf(file);
	refuseOthers(metadata, architecture, path);
	const own = (key: string) => metadata.get(`${architecture.name}.${key}`);
	const named = Object.entries(architecture.config).flatMap(([name, key]) => {
		const value = own(key);
		// what llama.cpp can't do without either; Hugging Face's defaults would stand for others
		if (value === undefined && !optionalKeys.includes(key)) {
			throw unsupportedError('a number is expected, found nothing', `${path}: ${architecture.name}.${key}`);
		}
		if (value === undefined) return [];
		if (typeof value === 'number') return [[name, value] as const];
		throw unsupportedError(
			`a number is expected, found ${describeValue(value)}`,
			`${path}: ${architecture.name}.${key}`,
		);
	});
	const token = (kind: string) => metadata.get(`tokenizer.ggml.${kind}_token_id`);
	const config: NamedConfig = {
		architectures: [architecture.className],
		model_type: architecture.modelType,
		vocab_size: tensors.get('token_embd.weight')?.shape[0],
		...architecture.constants,
		// each head has keys and values of its own where the file doesn't say otherwise
		...(own('attention.head_count_kv') === undefined
			? { num_key_value_heads: own('attention.head_count') }
			: {}),
		...Object.fromEntries(named),
		tie_word_embeddings: !tensors.has('output.weight'),
		bos_token_id: token('bos') ?? null,
		eos_token_id: token('eos') ?? null,
		pad_token_id: token('padding') ?? null,
		...biases(architecture, file),
	};
	checkHeads(config, architecture, file);
	return { ...config, ...ropeScaling(architecture, file, config) };
}

function refuseOthers(metadata: GgufMetadata, { name, keys }: GgufArchitecture, path: string): void {
	const refuse = (prefix: string) => (key: string, message: string) =>
		unsupportedError(message, `${path}: ${prefix}${key}`, remedies[key]);
	const prefix = `${name}.`;
	const [own, general]: [Record<string, GgufValue>, Record<string, GgufValue>] = [{}, {}];
	for (const [key, value] of metadata) {
		if (key.startsWith(prefix)) own[key.slice(prefix.length)] = value;
		else if (!key.startsWith('tokenizer.') && !isDescription(key)) general[key] = value;
	}
	refuseUnknownKeys(own, keys, refuse(prefix));
	refuseUnknownKeys(general, generalKeys, refuse(''));
}

function isDescription(key: string): boolean {
	return /^(general|quantize)\./.test(key) && !generalKeys.has(key);
}

const remedies: Readonly<Record<string, string>> = {
	'split.count': 'Join the parts first: llama-gguf-split --merge FIRST_PART OUTPUT.',
	'general.type': 'Give the file of a whole model.',
};

/** Llama's files say by their tensors alone which matrices have biases. */
function biases({ modelType, name }: GgufArchitecture, { tensors }: GgufFile): object {
	if (modelType !== name || name !== 'llama') return {};
	return {
		attention_bias: tensors.has('blk.0.attn_q.bias'),
		mlp_bias: tensors.has('blk.0.ffn_gate.bias'),
	};
}

/** What config.json holds, of which these are used here. */
interface NamedConfig {
	readonly hidden_size?: number;
	readonly num_attention_heads?: number;
	readonly head_dim?: number;
	readonly rope_theta?: number;
	readonly [other: string]: unknown;
}

/** A head's size stands in three keys, of which llama.cpp needs none to agree. */
function checkHeads(
	config: NamedConfig,
	{ name, config: keys }: GgufArchitecture,
	{ metadata, path }: GgufFile,
): void {
	if (!('rope_theta' in keys)) return;
	const headDim = headSize(config);
	for (const key of ['attention.value_length', 'rope.dimension_count']) {
		const value = metadata.get(`${name}.${key}`);
		if (value === undefined || value === headDim) continue;
		throw unsupportedError(
			`the size of a head (${headDim}) is expected, found ${describeValue(value)}`,
			`${path}: ${name}.${key}`,
		);
	}
}

function headSize({ head_dim, hidden_size, num_attention_heads }: NamedConfig): number {
	return head_dim ?? hidden_size! / num_attention_heads!;
}

/** `rope_scaling` of config.json. Llama 3's is in no key: a tensor has the factor of each frequency. */
function ropeScaling({ name }: GgufArchitecture, file: GgufFile, config: NamedConfig): object {
	const { metadata, tensors, path } = file;
	const own = (key: string) => metadata.get(`${name}.${key}`);
	// as llama.cpp: a factor of 0 is none, and one without a type is linear
	const factor = (own('rope.scaling.factor') ?? own('rope.scale_linear')) || 1;
	const type = own('rope.scaling.type') ?? (factor === 1 ? 'none' : 'linear');
	if (tensors.has('rope_freqs.weight')) {
		if (type === 'none' || factor === 1) {
			return { rope_scaling: llama3Scaling(file, headSize(config), config.rope_theta) };
		}
		throw unsupportedError(
			"no factor is expected beside the tensor rope_freqs.weight, which has Llama 3's",
			`${path}: ${name}.rope.scaling.factor`,
		);
	}
	if (type === 'none') return {};
	if (type === 'linear') return { rope_scaling: { rope_type: 'linear', factor } };
	throw unsupportedError(
		`none or linear is expected, found ${describeValue(type)}`,
		`${path}: ${name}.rope.scaling.type`,
	);
}

/** Every published model of Llama 3.1 to 3.3 has these; the factor is that of the lowest frequency. */
const llama3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

function llama3Scaling(file: GgufFile, headDim: number, theta = 10_000): object {
	const name = 'rope_freqs.weight';
	const { type, shape } = file.tensors.get(name)!;
	const place = `${file.path}: tensor ${name}`;
	if (type.plain === undefined || shape.join() !== String(headDim / 2)) {
		throw unsupportedError(`${headDim / 2} numbers are expected, one for each frequency`, place);
	}
	const factors = toFloat32(file.readRows(name, 0, 1), type.plain); // [headDim / 2]
	const factor = factors.at(-1)!;
	const fits = factors.every((found, pair) => {
		const wavelength = 2 * Math.PI * theta ** ((2 * pair) / headDim);
		const turns = llama3.original_max_position_embeddings / wavelength;
		const blend = Math.min(
			1,
			Math.max(0, (turns - llama3.low_freq_factor) / (llama3.high_freq_factor - llama3.low_freq_factor)),
		);
		const expected = 1 / ((1 - blend) / factor + blend);
		return Math.abs(found - expected) <= 1e-4 * expected;
	});
	if (fits) return { rope_type: 'llama3', factor, ...llama3 };
	throw unsupportedError(
		"its factors are not those of Llama 3's rotary scaling, the only one that is known",
		place,
	);
}

export function describeValue(value: GgufValue | undefined): string {
	if (typeof value === 'string') return quoteName(value);
	return typeof value === 'object' ? 'a list' : describeJson(value);
}
