import { globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { memoryFolder } from './tests/memory-folder.ts';

const include = ['packages/*/src/**/*.test.ts', 'tests/**/*.test.ts'];

/** Files that change modules for everybody or measure the whole process; the others share one, which loads the engine once. */
const alone = globSync(include, { cwd: import.meta.dirname, exclude: ['**/node_modules/**'] }).filter(
	(file) => /vi\.mock\(|memoryUsage/.test(readFileSync(new URL(file, import.meta.url), 'utf8')),
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
