/**
 * What the tests import of vitest: its `expect` and `vi`, and its `describe`, `it` and hooks in so far as the tests use them, which keep
 * the tests of a file instead of running them.
 */
import { expect, vi } from '../../../node_modules/vitest/dist/index.js';

export { expect, vi };

/**
 * @typedef {() => unknown} Hook
 * @typedef {{
 *   name: string, parent: Suite | undefined,
 *   beforeAll: Hook[], afterAll: Hook[], beforeEach: Hook[], afterEach: Hook[],
 * }} Suite
 * @typedef {{ id: string, name: string, suite: Suite, body: (context: object) => unknown }} Test
 */

/** @type {{ file: string, suite: Suite, tests: Test[], ids: Set<string> } | undefined} what is being loaded */
let loading;
/** @type {Hook[]} of the test that runs */
let atEndOfTest = [];
/** @type {Hook[]} what a `beforeAll` or a test wants done after all tests */
let atEndOfRun = [];

const createSuite = (name, parent) => ({
	name,
	parent,
	...{ beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] },
});

/**
 * The tests of a file.
 *
 * @param {string} file
 * @param {() => Promise<unknown>} load
 * @returns {Promise<readonly Test[]>}
 */
export async function collect(file, load) {
	loading = { file, suite: createSuite('', undefined), tests: [], ids: new Set() };
	try {
		await load();
		return loading.tests;
	} finally {
		loading = undefined;
	}
}

function addTest(title, body) {
	const { file, suite, tests, ids } = loading;
	const name = [...suitesOf(suite).map((one) => one.name), title].filter((part) => part !== '').join(' ');
	const own = `${file}#${name}`;
	const id = ids.has(own) ? `${own} (${tests.length})` : own;
	ids.add(id);
	tests.push({ id, name, suite, body });
}

function addSuite(title, body) {
	const parent = loading.suite;
	loading.suite = createSuite(title, parent);
	try {
		body();
	} finally {
		loading.suite = parent;
	}
}

/** `it` or `describe` with the forms of it that are used. */
function withForms(add) {
	const titleOf = (title) => (typeof title === 'function' ? title.name : title);
	const each = (cases) => (title, body) => {
		for (const [index, given] of [...cases].entries()) {
			const values = Array.isArray(given) ? given : [given];
			add(`${titleOf(title)} [${index}]`, (...context) => body(...values, ...context));
		}
	};
	const forms = Object.assign((title, body) => add(titleOf(title), body), { each });
	const none = Object.assign(() => {}, { each: () => () => {} });
	return Object.assign(forms, { skip: none, skipIf: (condition) => (condition ? none : forms) });
}

export const it = withForms(addTest);
export const test = it;
export const describe = withForms(addSuite);

export const beforeAll = (hook) => loading.suite.beforeAll.push(hook);
export const beforeEach = (hook) => loading.suite.beforeEach.push(hook);
export const afterEach = (hook) => loading.suite.afterEach.push(hook);
export const afterAll = (hook) => (loading?.suite.afterAll ?? atEndOfRun).push(hook);
export const onTestFinished = (hook) => atEndOfTest.push(hook);

/**
 * @param {Suite | undefined} suite
 * @returns {readonly Suite[]} from the file's to it
 */
export function suitesOf(suite) {
	return suite === undefined ? [] : [...suitesOf(suite.parent), suite];
}

/** Runs a test, once the `beforeAll` of its suites are done. Throws what it throws. */
export async function runTest({ suite, body }) {
	const suites = suitesOf(suite);
	atEndOfTest = [];
	try {
		for (const hook of suites.flatMap((one) => one.beforeEach)) await hook();
		await body({ expect, onTestFinished });
	} finally {
		for (const hook of suites.toReversed().flatMap((one) => one.afterEach)) await hook();
		for (const hook of atEndOfTest.toReversed()) await hook();
	}
}

/** Does what is to be done after all tests. */
export async function finishSuites() {
	const hooks = atEndOfRun.toReversed();
	atEndOfRun = [];
	for (const hook of hooks) await hook();
}
