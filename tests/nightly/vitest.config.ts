import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The long versions of tests that `npm test` runs shortened: `npm run nightly`, about half an hour on two cores. */
export default defineConfig({
	test: {
		root: path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..'),
		include: ['tests/e2e/kills.test.ts', 'tests/training/full-disk.test.ts'],
		env: { VULNTUNE_NIGHTLY: '1' },
		testTimeout: 3_600_000,
		hookTimeout: 60_000,
		maxWorkers: 2,
		pool: 'forks',
	},
});
