import type { Backend } from '../backends/contract.ts';
import { inputError } from '../errors.ts';
import { hashStream, uniformArray } from '../random/streams.ts';
import type { ParameterSpec, Parameters } from '../tensor/parameters.ts';
import type { LinearLayer } from './linear-layer.ts';
import { loraNames, parseLoraName } from './lora-names.ts';

export interface LoraConfig {
	readonly rank: number;
	readonly alpha: number;
	readonly dropout: number;
	/** Scale alpha / √rank instead of alpha / rank (Kalajdzievski 2023). */
	readonly rsLora: boolean;
	/** `attention`, `all-linear`, or patterns of module names (see `targetMatcher`). */
	readonly targets: 'attention' | 'all-linear' | readonly string[];
	/** The only blocks, counted from 0, whose modules get an adapter; absent or null for all. PEFT's `layers_to_transform`. */
	readonly layersToTransform?: readonly number[] | null;
}

/** How every family calls the part of a block whose matrices these are. */
const ATTENTION = /\.(self_attn|attn|attention)\./;

/**
 * Which modules get an adapter. A pattern without `*` matches the last part of a name or the whole name, as
 * PEFT's `target_modules` does; with `*` it matches the whole name.
 */
export function targetMatcher(targets: LoraConfig['targets']): (name: string) => boolean {
	if (targets === 'all-linear') return () => true;
	if (targets === 'attention') return (name) => ATTENTION.test(name);
	const matchers = targets.map((pattern) => {
		if (!pattern.includes('*')) return (name: string) => name === pattern || name.endsWith(`.${pattern}`);
		const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
		const expression = new RegExp(`^${parts.join('.*')}$`);
		return (name: string) => expression.test(name);
	});
	return (name) => matchers.some((matches) => matches(name));
}

export function loraScale(config: Pick<LoraConfig, 'rank' | 'alpha' | 'rsLora'>): number {
	return config.alpha / (config.rsLora ? Math.sqrt(config.rank) : config.rank);
}

/** A weight that can get an adapter: its name in the model and its shape [N, K]. */
interface NamedMatrix {
	readonly name: string;
	readonly weight: { readonly shape: readonly number[] };
}

/** The block that a module belongs to: the number in its name. */
function blockOf(module: string): number {
	return Number(/\.(\d+)\./.exec(module)?.[1]);
}

/** The modules of the blocks that are to get adapters. Throws NO_LORA_TARGET for a block that the model doesn't have. */
function inLayers(layers: readonly NamedMatrix[], chosen: readonly number[]): readonly NamedMatrix[] {
	const blocks = new Set(layers.map(({ name }) => blockOf(name)));
	const missing = chosen.find((block) => !blocks.has(block));
	if (missing !== undefined) {
		throw inputError('NO_LORA_TARGET', `the model has no block ${missing}`, {
			place: 'method.layersToTransform',
			remedy: `Its blocks are numbered from 0 to ${Math.max(...blocks)}.`,
		});
	}
	return layers.filter(({ name }) => chosen.includes(blockOf(name)));
}

/** The adapters' matrices in the order of the layers, A before B. Throws NO_LORA_TARGET where nothing matches. */
export function loraSpecs(all: readonly NamedMatrix[], config: LoraConfig): ParameterSpec[] {
	const { layersToTransform: chosen = null } = config;
	const layers = chosen === null ? all : inLayers(all, chosen);
	const matches = targetMatcher(config.targets);
	const specs = layers
		.filter((layer) => matches(layer.name))
		.flatMap((layer) => {
			const [outputSize, inputSize] = layer.weight.shape;
			const { a, b } = loraNames(layer.name);
			return [
				{ name: a, shape: [config.rank, inputSize!] },
				{ name: b, shape: [outputSize!, config.rank] },
			];
		});
	const patterns = typeof config.targets === 'string' ? [config.targets] : config.targets;
	const idle = patterns.filter((pattern) => {
		const isTarget = targetMatcher(pattern === config.targets ? config.targets : [pattern]);
		return !layers.some(({ name }) => isTarget(name));
	});
	if (specs.length === 0 || idle.length > 0) {
		throw inputError(
			'NO_LORA_TARGET',
			`no module of the model matches ${JSON.stringify(idle).slice(0, 200)}`,
			{
				place: 'method.targets',
				remedy: `the model's modules are named like ${layers[0]?.name}`,
			},
		);
	}
	return specs;
}

/**
 * PEFT's start: A uniform in ±1/√K (Kaiming with a = √5), B zero, so that the adapter changes nothing yet. Each
 * matrix draws from a stream of its own name, so its values depend on the seed alone.
 */
export function initializeLora(backend: Backend, parameters: Parameters, seed: number): void {
	for (const { name, shape } of parameters.specs) {
		const part = parseLoraName(name)?.part;
		if (part === 'b') backend.fill(parameters.get(name), 0);
		if (part !== 'a') continue;
		const bound = 1 / Math.sqrt(shape[1]!);
		backend.upload(
			parameters.get(name),
			uniformArray(seed, hashStream(name), shape[0]! * shape[1]!, -bound, bound),
		);
	}
}

/** The layer with its adapter from `parameters`, or unchanged where there is none for it. */
export function attachLora(parameters: Parameters, config: LoraConfig): (layer: LinearLayer) => LinearLayer {
	const scale = loraScale(config);
	return (layer) => {
		const { a, b } = loraNames(layer.name);
		if (!parameters.has(a)) return layer;
		return {
			...layer,
			lora: {
				a: parameters.get(a),
				b: parameters.get(b),
				scale,
				dropout: config.dropout,
				site: hashStream(layer.name),
			},
		};
	};
}
