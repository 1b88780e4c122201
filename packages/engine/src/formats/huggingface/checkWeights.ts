import { inputError } from '../../errors.ts';
import { quoteName } from '../json.ts';
import type { WeightInfo, WeightSource } from '../weightSource.ts';
import type { ExpectedTensor } from './expectedTensor.ts';
import { expectedTensors, type ModelConfig } from './modelConfig.ts';

const maxDifferences = 5;

/**
 * Compares the names and shapes of a checkpoint with what its config calls for, both ways: a bias that the
 * config does not know would be left out of every result without a word. Throws one `MODEL_WEIGHTS` that
 * lists the first five differences.
 */
export function checkWeights(config: ModelConfig, source: WeightSource): void {
	const expected = expectedTensors(config);
	const differences = [...wrongTensors(config, expected, source), ...unexpectedTensors(expected, source)];
	if (differences.length === 0) return;
	const shown = differences.slice(0, maxDifferences).join('; ');
	const more = differences.length - maxDifferences;
	throw inputError(
		'MODEL_WEIGHTS',
		`config.json does not fit the weights: ${shown}${more > 0 ? `; and ${more} more` : ''}`,
		{ place: source.place, remedy: 'Put config.json and the weights of the same model into the folder.' },
	);
}

/**
 * Whether a linear weight is stored in bitsandbytes' 4-bit layout: bytes in the shape [elements / 2, 1],
 * described by a tensor `<name>.quant_state.bitsandbytes__nf4` or `__fp4`.
 */
export function isFourBitWeight(source: WeightSource, name: string): boolean {
	return source.info(name)?.dtype === 'U8' && quantStateNames(name).some((state) => source.info(state));
}

function quantStateNames(name: string): readonly string[] {
	return ['nf4', 'fp4'].map((type) => `${name}.quant_state.bitsandbytes__${type}`);
}

function wrongTensors(
	config: ModelConfig,
	expected: readonly ExpectedTensor[],
	source: WeightSource,
): readonly string[] {
	return expected.flatMap((tensor) => {
		const info = source.info(tensor.name);
		if (info === undefined) return [`${tensor.name} is missing`];
		const mayBeFourBit = config.quantization !== undefined && tensor.kind === 'linear';
		if (mayBeFourBit && isFourBitWeight(source, tensor.name)) return wrongFourBit(tensor, info, source);
		if (!isSameShape(info.shape, tensor.shape)) {
			return [`${tensor.name} must be [${tensor.shape}], found [${info.shape}]`];
		}
		const isFloat = ['F64', 'F32', 'F16', 'BF16'].includes(info.dtype);
		return isFloat ? [] : [`${tensor.name} must hold floating-point numbers, found ${info.dtype}`];
	});
}

function wrongFourBit(tensor: ExpectedTensor, info: WeightInfo, source: WeightSource): readonly string[] {
	const elements = tensor.shape.reduce((product, size) => product * size, 1);
	const bytes = Math.ceil(elements / 2);
	if (info.byteLength !== bytes) {
		return [`${tensor.name} must hold ${bytes} bytes of two 4-bit codes each, found ${info.byteLength}`];
	}
	return ['absmax', 'quant_map']
		.map((suffix) => `${tensor.name}.${suffix}`)
		.filter((name) => source.info(name) === undefined)
		.map((name) => `${name} is missing`);
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
	return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Buffers that old checkpoints carry, tied heads written anyway, classification heads: no part of the base. */
const harmless = [/\.rotary_emb\.inv_freq$/, /^lm_head\.weight$/, /^score\./];

/** What lies beside a 4-bit weight. */
const besideFourBit =
	/\.(absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.bitsandbytes__(nf4|fp4))$/;

function unexpectedTensors(expected: readonly ExpectedTensor[], source: WeightSource): readonly string[] {
	const known = new Set(expected.map(({ name }) => name));
	return source.names
		.filter((name) => !known.has(name) && !harmless.some((pattern) => pattern.test(name)))
		.filter((name) => !(besideFourBit.test(name) && known.has(name.replace(besideFourBit, ''))))
		.map((name) => `${quoteName(name)} is not part of such a model`);
}
