import { stringify } from 'yaml';
import { withoutIdle } from './needs.ts';
import { configOptions, type SchemaOption } from './options.ts';

/**
 * The config as YAML, every option that has an effect with its value: what a run folder keeps and what can be trained again.
 *
 * @param options those of its kind of config; default `vulntune train`'s
 */
export function configToYaml(config: object, options: readonly SchemaOption[] = configOptions): string {
	return stringify(
		withoutIdle(config, options, () => undefined),
		{ lineWidth: 0 },
	);
}
