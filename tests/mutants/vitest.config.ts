import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { memoryFolder } from '../memory-folder.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** The tests that mutants have to get past: those beside the sources. Whole runs would kill more, at seconds for every mutant. */
export default defineConfig({
	// the code under change is this folder's copy, not what the workspace links to
	resolve: { alias: { vulntune: path.join(root, 'packages/vulntune/src/index.ts') } },
	test: {
		root,
		include: [
			'packages/vulntune/src/{training,fine-tuning,packing,objectives,methods,scoring,evaluation,metrics}/**/*.test.ts',
		],
		setupFiles: ['tests/properties.ts'],
		env: memoryFolder(),
		testTimeout: 60_000,
		pool: 'forks',
	},
});
