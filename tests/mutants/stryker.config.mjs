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
const large = ['packages/engine/build', 'packages/engine/native'];

/**
 * Changes the code of the rooms that decide what is learned and what is reported, one place at a time, and runs the tests that
 * reach it: `npm run mutants`. docs/testing.md says how to take one room, or fewer tests.
 *
 * @type {import('@stryker-mutator/api/core').PartialStrykerOptions}
 */
export default {
	mutate: [`packages/vulntune/src/{${rooms.join(',')}}/**/*.ts`, '!**/*.test.ts', '!**/testing/**'],
	plugins: ['./tests/mutants/in-process/runner.mjs'],
	testRunner: 'in-process',
	inProcess: {
		// those beside the sources: whole runs would notice more, at seconds for every change
		include: [`packages/vulntune/src/{${rooms.join(',')}}/**/*.test.ts`],
		// one trains in a thread of its own, in which nothing is changed; the others take half a minute each
		exclude: ['finetune', 'rehearse', 'evaluate-run'].map((name) => `**/${name}.test.ts`),
		links: large,
	},
	// TypeScript 7 has no JavaScript API with which Stryker could rewrite it; there are no paths in it to rewrite
	tsconfigFile: 'absent.json',
	// all tests once, on a machine that others use too
	dryRunTimeoutMinutes: 15,
	coverageAnalysis: 'perTest',
	// what is computed once when a module loads can't be told apart by test
	ignoreStatic: true,
	// texts are read by people; the tests check those that carry a place or a remedy
	mutator: { excludedMutations: ['StringLiteral'] },
	ignorePatterns: ['bench', 'packages/vulntune/demo', ...large],
	concurrency: 2,
	reporters: ['clear-text', 'json', 'html'],
	clearTextReporter: { allowEmojis: false, reportTests: false, logTests: false },
	jsonReporter: { fileName: 'reports/mutation/mutation.json' },
	htmlReporter: { fileName: 'reports/mutation/mutation.html' },
	allowEmpty: false,
	thresholds: { high: 90, low: 80, break: 80 },
};
