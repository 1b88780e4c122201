import { loadConfig } from '../config/load.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import type { Config } from '../config/schema.ts';
import type { RunFolder } from './run-folder.ts';

/** The config that a run was made with, the overrides laid over it, its output the folder where it lies now. Throws what `loadConfig` throws. */
export function readRunConfig(folder: RunFolder, overrides: ConfigOverrides = {}): Config {
	return { ...loadConfig(folder.config, { overrides, isRecord: true }), output: folder.root };
}
