import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { memoryFolder } from '../memory-folder.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Every test file that has a long version. */
const include = globSync(['packages/*/src/**/*.test.ts', 'tests/**/*.test.ts'], {
	cwd: root,
	exclude: ['**/node_modules/**'],
}).filter((file) => readFileSync(path.join(root, file), 'utf8').includes('nightly/nightly.ts'));

/** The long versions of tests that `npm test` runs shortened, with other seeds every time: `npm run nightly`. */
export default defineConfig({
	test: {
		root,
		include,
		setupFiles: ['tests/properties.ts'],
		env: { ...memoryFolder(), VULNTUNE_NIGHTLY: '1' },
		testTimeout: 3_600_000,
		hookTimeout: 60_000,
		maxWorkers: 2,
		pool: 'forks',
	},
});
