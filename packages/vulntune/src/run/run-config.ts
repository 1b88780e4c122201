import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { RunFolder } from './run-folder.ts';

/** The config that a run was made with, its output the folder where it lies now. Throws what `loadConfig` throws. */
export function readRunConfig(folder: RunFolder): Config {
	return { ...loadConfig(folder.config, { isRecord: true }), output: folder.root };
}
