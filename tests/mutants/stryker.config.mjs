import path from 'node:path';

// the tests run in a copy of the project, beside which there is no shared folder
process.env.VULNTUNE_SHARED ??= path.resolve(import.meta.dirname, '../../../shared');

const rooms = [
	'training',
	'fine-tuning',
	'packing',
	'objectives',
	'methods',
	'scoring',
	'evaluation',
	'metrics',
];

/**
 * Changes the code of the rooms that decide what is learned and what is reported, one place at a time, and runs the tests that
 * reach it: `npm run mutants`, or one room by `npm run mutants -- --mutate 'packages/vulntune/src/packing/*.ts'`.
 *
 * @type {import('@stryker-mutator/api/core').PartialStrykerOptions}
 */
export default {
	mutate: [`packages/vulntune/src/{${rooms.join(',')}}/**/*.ts`, '!**/*.test.ts', '!**/testing/**'],
	testRunner: 'vitest',
	vitest: { configFile: 'tests/mutants/vitest.config.ts' },
	// TypeScript 7 has no JavaScript API with which Stryker could rewrite it; there are no paths in it to rewrite
	tsconfigFile: 'absent.json',
	coverageAnalysis: 'perTest',
	// what is computed once when a module loads can't be told apart by test
	ignoreStatic: true,
	// texts are read by people; the tests check those that carry a place or a remedy
	mutator: { excludedMutations: ['StringLiteral'] },
	ignorePatterns: [
		'bench',
		'docs',
		'packages/engine/build',
		'packages/engine/native',
		'packages/vulntune/demo',
	],
	concurrency: 2,
	reporters: ['clear-text', 'json', 'html'],
	clearTextReporter: { allowEmojis: false, reportTests: false, logTests: false },
	jsonReporter: { fileName: 'reports/mutation/mutation.json' },
	htmlReporter: { fileName: 'reports/mutation/mutation.html' },
	allowEmpty: false,
	thresholds: { high: 90, low: 80, break: 80 },
};
