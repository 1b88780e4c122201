import { inputError } from '../errors.ts';
import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import type { QuantizationConfig } from '../formats/huggingface/quantization-config.ts';
import { storedLayout } from '../formats/huggingface/stored-layouts.ts';
import type { WeightSource } from '../formats/weight-source.ts';

/**
 * Compares what `quantization_config` says with how the linear weights lie in the checkpoint. Throws `MODEL_WEIGHTS` for the first that is
 * plain although nothing excepts it, or of another type, and where exceptions leave none that is quantised: a claim that does not hold may
 * belong to other weights.
 */
export function checkQuantization(
	quantization: QuantizationConfig | undefined,
	expected: readonly ExpectedTensor[],
	source: WeightSource,
): void {
	if (quantization === undefined) return;
	const refuse = (found: string) =>
		inputError('MODEL_WEIGHTS', `quantization_config says ${claimOf(quantization)}, but ${found}`, {
			place: source.place,
			remedy:
				'Put config.json and the weights of the same model into the folder; of weights that are not quantised, ' +
				'remove quantization_config.',
		});
	let isAnyQuantized = false;
	for (const { name, kind } of expected) {
		if (kind !== 'linear') continue;
		const difference = differenceOf(quantization, name, source);
		if (difference !== undefined) throw refuse(`${name} ${difference}`);
		isAnyQuantized ||= isStoredQuantized(quantization, name, source);
	}
	if (!isAnyQuantized) throw refuse('excepts every linear layer: none is quantised');
}

function isStoredQuantized({ method }: QuantizationConfig, name: string, source: WeightSource): boolean {
	const isPacked = method === 'gptq' || method === 'awq';
	return isPacked ? source.info(name)?.stored !== undefined : storedLayout(source, name) !== undefined;
}

function differenceOf(
	quantization: QuantizationConfig,
	name: string,
	source: WeightSource,
): string | undefined {
	if (!isStoredQuantized(quantization, name, source)) {
		return isExcepted(quantization, name) ? undefined : 'is not quantised';
	}
	if (quantization.method === 'gptq' || quantization.method === 'awq') return undefined;
	const state = `${name}.quant_state.${quantization.method}__${quantization.type}`;
	if (source.info(state) === undefined) return 'is of another type';
	if (quantization.method !== 'bitsandbytes') return undefined;
	const isDouble = source.info(`${name}.nested_absmax`) !== undefined;
	if (isDouble === quantization.doubleQuantization) return undefined;
	return isDouble ? 'has them' : 'has none';
}

function claimOf(quantization: QuantizationConfig): string {
	if (quantization.method !== 'bitsandbytes') return quantization.type;
	return `${quantization.type} ${quantization.doubleQuantization ? 'with' : 'without'} quantised scales`;
}

/** Whether the config excepts a weight, by the name of its module or a part of that, or quantises others only. */
function isExcepted({ plainModules = [], onlyModules }: QuantizationConfig, name: string): boolean {
	const module = name.replace(/\.weight$/, '');
	const isWithin = (part: string) => `.${module}.`.includes(`.${part}.`);
	return plainModules.some(isWithin) || (onlyModules !== undefined && !onlyModules.some(isWithin));
}
