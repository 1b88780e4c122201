import { stringify } from 'yaml';

/** The config as YAML, every option with its value: what a run folder keeps and what can be trained again. */
export function configToYaml(config: object): string {
	return stringify(config, { lineWidth: 0 });
}
