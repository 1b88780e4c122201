import { writeTextAtomically } from '@vulntune/engine';
import type { SchemaOption } from '../config/options.ts';
import { configToYaml } from '../config/yaml-text.ts';
import { describeEnvironment } from './environment.ts';
import type { RunFolder } from './run-folder.ts';

/** Writes what a run begins with: what it is made with, by which the folder is known as a run's, then its resolved config. */
export function writeRunHeader(
	folder: RunFolder,
	config: object,
	facts: Parameters<typeof describeEnvironment>[0],
	options?: readonly SchemaOption[],
): void {
	writeTextAtomically(folder.environment, `${JSON.stringify(describeEnvironment(facts), null, '\t')}\n`);
	writeTextAtomically(folder.config, configToYaml(config, options));
}
