import { globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { memoryFolder } from './tests/memory-folder.ts';

const include = ['packages/*/src/**/*.test.ts', 'tests/**/*.test.ts'];

/**
 * Files that change modules for everybody, measure the whole process or train whole runs on the emulated card, whose threads need both cores;
 * the others share a process, which loads the engine once.
 */
const alone = globSync(include, { cwd: import.meta.dirname, exclude: ['**/node_modules/**'] }).filter(
	(file) =>
		/vi\.mock\(|memoryUsage|VULNTUNE_LIBCUDA/.test(readFileSync(new URL(file, import.meta.url), 'utf8')),
);

export default defineConfig({
	test: {
		setupFiles: ['tests/properties.ts'],
		env: memoryFolder(),
		testTimeout: 60_000,
		hookTimeout: 60_000,
		maxWorkers: 2,
		pool: 'forks',
		projects: [
			{
				extends: true,
				test: { name: 'together', include, exclude: [...alone, '**/node_modules/**'], isolate: false },
			},
			{ extends: true, test: { name: 'alone', include: alone } },
		],
	},
});
