import { inputError } from '../errors.ts';
import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import { type StoredLayout, storedLayout, weightBeside } from '../formats/huggingface/stored-layouts.ts';
import { describeJson, ownValue, parseJsonObject, quoteName } from '../formats/json.ts';
import type { WeightInfo, WeightSource } from '../formats/weight-source.ts';
import { expectedTensors, familyOf, headTensor } from './families.ts';
import type { ModelConfig } from './model.ts';

const maxDifferences = 5;
/** A quant state has about 170 bytes. */
const maxStateBytes = 65_536;

/**
 * Compares the names and shapes of a checkpoint with what its config calls for, both ways: a bias that the
 * config does not know would be left out of every result without a word. Throws one `MODEL_WEIGHTS` that
 * lists the first five differences, and `QUANT_STATE` where what describes a quantised matrix is no JSON.
 */
export function checkWeights(config: ModelConfig, source: WeightSource): void {
	const expected = expectedTensors(config);
	const differences = [
		...wrongTensors(config, expected, source),
		...unexpectedTensors(config, expected, source),
		...repeatedTensors(source),
	];
	if (differences.length === 0) return;
	const shown = differences.slice(0, maxDifferences).join('; ');
	const more = differences.length - maxDifferences;
	throw inputError(
		'MODEL_WEIGHTS',
		`config.json does not fit the weights: ${shown}${more > 0 ? `; and ${more} more` : ''}`,
		{ place: source.place, remedy: 'Put config.json and the weights of the same model into the folder.' },
	);
}

function wrongTensors(
	config: ModelConfig,
	expected: readonly ExpectedTensor[],
	source: WeightSource,
): readonly string[] {
	return expected.flatMap((tensor) => {
		const info = source.info(tensor.name);
		if (info === undefined) return [`${tensor.name} is missing`];
		const mayBeQuantized = config.quantization !== undefined && tensor.kind === 'linear';
		const layout = mayBeQuantized ? storedLayout(source, tensor.name) : undefined;
		if (layout !== undefined) return wrongQuantized(tensor, layout, info, source);
		if (!isSameShape(info.shape, tensor.shape)) {
			return [`${tensor.name} must be [${tensor.shape}], found [${info.shape}]`];
		}
		const isFloat = ['F64', 'F32', 'F16', 'BF16'].includes(info.dtype);
		return isFloat ? [] : [`${tensor.name} must hold floating-point numbers, found ${info.dtype}`];
	});
}

function wrongQuantized(
	tensor: ExpectedTensor,
	layout: StoredLayout,
	info: WeightInfo,
	source: WeightSource,
): readonly string[] {
	const elements = tensor.shape.reduce((product, size) => product * size, 1);
	const bytes = Math.ceil(elements / 2);
	if (layout.codesPerByte === 2 && info.byteLength !== bytes) {
		return [`${tensor.name} must hold ${bytes} bytes of two 4-bit codes each, found ${info.byteLength}`];
	}
	if (layout.codesPerByte === 1 && !isSameShape(info.shape, tensor.shape)) {
		return [`${tensor.name} must be [${tensor.shape}], found [${info.shape}]`];
	}
	const missing = layout.companions
		.map((suffix) => `${tensor.name}.${suffix}`)
		.filter((name) => source.info(name) === undefined)
		.map((name) => `${name} is missing`);
	return [...missing, ...wrongState(tensor, layout, source)];
}

/** Codes of 4 bits have no rows: only the quant state tells [24, 16] from [16, 24]. */
function wrongState(tensor: ExpectedTensor, layout: StoredLayout, source: WeightSource): readonly string[] {
	return layout.states
		.map((state) => `${tensor.name}.quant_state.${state}`)
		.flatMap((name) => {
			const info = source.info(name);
			if (info === undefined) return [];
			if (info.byteLength > maxStateBytes) return [`${name} is too large with ${info.byteLength} bytes`];
			const state = parseJsonObject(source.read(name), {
				code: 'QUANT_STATE',
				place: `${source.place}: ${name}`,
				remedy: 'The checkpoint is damaged: download it, or quantise the model, again.',
			});
			const shape = ownValue(state, 'shape');
			if (Array.isArray(shape) && isSameShape(shape, tensor.shape)) return [];
			const found = Array.isArray(shape) ? `[${shape.join().slice(0, 100)}]` : describeJson(shape);
			return [`${tensor.name} must be [${tensor.shape}], but ${name} says ${found}`];
		});
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
	return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** What comes from two tensors of the files, as a matrix that is there in packed integers and plain: which is meant, nothing says. */
function repeatedTensors({ names }: WeightSource): readonly string[] {
	const seen = new Set<string>();
	return names.flatMap((name) => {
		if (seen.has(name)) return [`${name} is there twice`];
		seen.add(name);
		return [];
	});
}

function unexpectedTensors(
	config: ModelConfig,
	expected: readonly ExpectedTensor[],
	source: WeightSource,
): readonly string[] {
	const known = new Set([...expected.map(({ name }) => name), headTensor(config)?.name]);
	// an output matrix that is the embedding once more is stored by some (see `openModelFolder`), and a classifier's head by many
	const unread = [...familyOf(config).unread, /^score\./];
	return source.names
		.filter((name) => !known.has(name) && !unread.some((pattern) => pattern.test(name)))
		.filter((name) => !known.has(weightBeside(name) ?? ''))
		.map((name) => `${quoteName(name)} is not part of such a model`);
}
