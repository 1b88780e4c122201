import type { CrossCheck } from '../config/cross-checks.ts';
import { defineConfig } from '../config/definition.ts';
import {
	type ConfigContext,
	checkConfig,
	configPaths,
	readConfigFile,
	type ValueContext,
} from '../config/load.ts';
import { type ParsedPretrainConfig, type PretrainConfig, pretrainConfigSchema } from './config-schema.ts';

const crossChecks: readonly CrossCheck<ParsedPretrainConfig>[] = [
	{
		options: ['source.path', 'source.type'],
		check({ source: { type, path } }) {
			if (type === 'generated' || path !== null) return undefined;
			return `required where source.type is ${type}`;
		},
	},
	{
		options: ['source.path', 'source.type'],
		check({ source: { type, path } }) {
			if (type !== 'generated' || path === null) return undefined;
			return 'expected none where source.type is generated (or set source.type to folder or jsonl)';
		},
	},
	{
		options: ['model.hiddenSize', 'model.heads'],
		check({ model: { hiddenSize, heads } }) {
			if (hiddenSize % heads === 0 && (hiddenSize / heads) % 2 === 0) return undefined;
			return `expected an even number per head for ${heads} heads, found ${hiddenSize}`;
		},
	},
	{
		options: ['model.keyValueHeads', 'model.heads'],
		check({ model: { heads, keyValueHeads } }) {
			if (heads % keyValueHeads === 0) return undefined;
			return `expected a divisor of model.heads (${heads}), found ${keyValueHeads}`;
		},
	},
	{
		options: ['sequence.length', 'model.maxPositions'],
		check({ sequence: { length }, model: { maxPositions } }) {
			if (length <= maxPositions) return undefined;
			return `expected at most model.maxPositions (${maxPositions}), found ${length}`;
		},
	},
];

/** The config of `vulntune pretrain`. */
export const pretrainingConfig = defineConfig(pretrainConfigSchema, crossChecks, {
	source: { type: 'generated' },
});

/** The config of a YAML file. Throws CONFIG_NOT_FOUND, CONFIG_YAML and CONFIG_INVALID, as `loadConfig` does. */
export function loadPretrainConfig(file: string, context: ConfigContext = {}): PretrainConfig {
	const { value, ...found } = readConfigFile(file, context);
	return resolvePretrainConfig(value, found);
}

/** A config from a value instead of a file. */
export function resolvePretrainConfig(value: unknown, context: ValueContext): PretrainConfig {
	const parsed = checkConfig(value, pretrainingConfig, context);
	const paths = configPaths(context);
	const { source, tokenizer } = parsed;
	return {
		...parsed,
		source: { ...source, path: source.path === null ? null : paths.resolve('source.path', source.path) },
		tokenizer: { from: tokenizer.from === null ? null : paths.resolve('tokenizer.from', tokenizer.from) },
		output: paths.output(parsed.output),
	};
}
