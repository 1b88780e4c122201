import {
	type Backend,
	type HostMatrix,
	hashStream,
	inputError,
	type Model,
	type ModelConfig,
	normalArray,
	type ParameterSpec,
	type Parameters,
	type PeftPrefix,
} from '@vulntune/engine';

/** Standard deviation of fresh keys and values: a token attends to them as to any other then, and sees next to nothing. */
const INITIAL_DEVIATION = 0.02;

const keysOf = (layer: number) => `prefix.${layer}.key`;
const valuesOf = (layer: number) => `prefix.${layer}.value`;

/** Keys and values [P, keyValueHeads × D] of each layer, in the order in which PEFT keeps them. */
export function prefixSpecs(
	{ layers, keyValueHeads, headDim }: Pick<ModelConfig, 'layers' | 'keyValueHeads' | 'headDim'>,
	length: number,
): ParameterSpec[] {
	const shape = [length, keyValueHeads * headDim];
	return Array.from({ length: layers }, (_, layer) => [
		{ name: keysOf(layer), shape },
		{ name: valuesOf(layer), shape },
	]).flat();
}

export function initializePrefix(backend: Backend, parameters: Parameters, seed: number): void {
	for (const { name, shape } of parameters.specs) {
		if (!name.startsWith('prefix.')) continue;
		backend.upload(
			parameters.get(name),
			normalArray(seed, hashStream(name), shape[0]! * shape[1]!, INITIAL_DEVIATION),
		);
	}
}

/** The prefix of each layer. */
export function prefixesOf(parameters: Parameters, layers: number): Prefixes {
	return Array.from({ length: layers }, (_, layer) => ({
		key: parameters.get(keysOf(layer)),
		value: parameters.get(valuesOf(layer)),
	}));
}

type Prefixes = globalThis.Parameters<Model['withPrefix']>[0];

/** PEFT's one matrix from the keys and values of each layer. */
export function promptOf(tensors: ReadonlyMap<string, HostMatrix>, layers: number): HostMatrix {
	const [length, width] = tensors.get(keysOf(0))!.shape as readonly [number, number];
	const values = new Float32Array(length * 2 * layers * width); // [P, layers × 2 × width]
	for (let layer = 0; layer < layers; layer++) {
		for (const [half, name] of [keysOf(layer), valuesOf(layer)].entries()) {
			const own = tensors.get(name)!.values; // [P, width]
			for (let row = 0; row < length; row++) {
				const from = (row * 2 * layers + 2 * layer + half) * width;
				values.set(own.subarray(row * width, (row + 1) * width), from);
			}
		}
	}
	return { shape: [length, 2 * layers * width], values };
}

/** Copies a saved prefix, and its head, over the parameters. Throws ADAPTER_MISMATCH where they don't fit. */
export function uploadPrefix(
	backend: Backend,
	parameters: Parameters,
	{ layers, prompt, head }: PeftPrefix,
	place: string,
): void {
	const [length, whole] = prompt.shape as readonly [number, number];
	const width = whole / (2 * layers);
	for (const { name, shape } of parameters.specs) {
		const [, layer, part] = /^prefix\.(\d+)\.(key|value)$/.exec(name) ?? [];
		const stored = layer === undefined ? head.get(name) : { shape: [length, width] };
		if (stored === undefined || stored.shape.join() !== shape.join() || Number(layer ?? 0) >= layers) {
			throw inputError('ADAPTER_MISMATCH', `the adapter has no ${name} [${shape.join(', ')}]`, {
				place,
				remedy: 'Use the prefixLength, head and base model that it was made with.',
			});
		}
		if (layer === undefined) {
			backend.upload(parameters.get(name), head.get(name)!.values);
			continue;
		}
		const column = (2 * Number(layer) + (part === 'key' ? 0 : 1)) * width;
		const values = new Float32Array(length * width); // [P, width]
		for (let row = 0; row < length; row++) {
			const from = row * whole + column;
			values.set(prompt.values.subarray(from, from + width), row * width);
		}
		backend.upload(parameters.get(name), values);
	}
}
