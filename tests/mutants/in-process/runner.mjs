import { existsSync, globSync, symlinkSync } from 'node:fs';
import module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core';
import { commonTokens, declareClassPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin';
import {
	DryRunStatus,
	determineHitLimitReached,
	TestStatus,
	toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import { memoryFolder } from '../../memory-folder.ts';
import { collect, finishSuites, runTest, suitesOf } from './vitest.mjs';

/**
 * Runs tests for Stryker: loads their files once, into the process of Stryker's worker, and runs each change against the tests that reach
 * it, quick ones first. Stryker's own runner starts vitest anew for every change, which loads the engine: two seconds instead of a few
 * hundredths. What a file makes when it is loaded is shared by all of its changes.
 */
class InProcessRunner {
	static inject = tokens(commonTokens.options);
	/** @type {Map<string, readonly import('./vitest.mjs').Test[]>} tests of each file that is loaded */
	#files = new Map();
	/** @type {Map<string, number>} milliseconds that a test took */
	#durations = new Map();
	#stryker = (globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {});

	constructor({ inProcess }) {
		this.settings = inProcess;
	}

	capabilities() {
		return { reloadEnvironment: false };
	}

	async init() {
		const [whole, copy] = [path.resolve(import.meta.dirname, '../../..'), process.cwd()];
		for (const folder of this.settings.links) {
			// a worker beside this one may have made it
			if (!existsSync(path.join(copy, folder)))
				symlinkSync(path.join(whole, folder), path.join(copy, folder));
		}
		resolveInto(copy);
		Object.assign(process.env, memoryFolder(), { NODE_ENV: 'test', VITEST: 'true' });
		await import(pathToFileURL(path.resolve('tests/properties.ts')).href);
	}

	async dryRun({ testFiles }) {
		const { include, exclude } = this.settings;
		const files = testFiles ?? globSync(include, { exclude }).map((file) => path.resolve(file));
		const tests = [];
		for (const file of files) tests.push(...(await this.#load(file)));
		const results = await this.#run(tests, true);
		return {
			status: DryRunStatus.Complete,
			tests: results,
			mutantCoverage: this.#stryker.mutantCoverage,
		};
	}

	async mutantRun({ testFilter, activeMutant, hitLimit }) {
		const wanted = new Set(testFilter);
		const tests = [];
		for (const file of new Set(testFilter.map(fileOf))) {
			tests.push(...(await this.#load(file)).filter(({ id }) => wanted.has(id)));
		}
		const took = ({ id }) => this.#durations.get(id) ?? 0;
		tests.sort((a, b) => took(a) - took(b));
		Object.assign(this.#stryker, { hitCount: 0, hitLimit, activeMutant: activeMutant.id });
		const results = await this.#run(tests, false);
		const { hitCount } = this.#stryker;
		Object.assign(this.#stryker, { hitLimit: undefined, activeMutant: undefined });
		const failed = results.findIndex(({ status }) => status === TestStatus.Failed);
		if (failed !== -1) await this.#requireSound(tests[failed]);
		return toMutantRunResult(
			determineHitLimitReached(hitCount, hitLimit) ?? { status: DryRunStatus.Complete, tests: results },
		);
	}

	/** What fails without the change as well, an earlier change has spoilt: where this throws, Stryker starts the worker again. */
	async #requireSound(test) {
		const [{ status, failureMessage }] = await this.#run([test], false);
		if (status === TestStatus.Failed) throw new Error(`${test.id} fails without a change: ${failureMessage}`);
	}

	async #load(file) {
		const known = this.#files.get(file);
		if (known !== undefined) return known;
		const tests = await collect(file, () => import(pathToFileURL(file).href));
		this.#files.set(file, tests);
		return tests;
	}

	/** @param {boolean} isDry goes on after a test that fails, and keeps which changes each test reaches */
	async #run(tests, isDry) {
		const results = [];
		/** @type {Map<import('./vitest.mjs').Suite, string>} under what name it is kept what their `beforeAll` reach */
		const ready = new Map();
		try {
			for (const test of tests) {
				const start = performance.now();
				const failure = await this.#attempt(test, ready, isDry);
				const timeSpentMs = performance.now() - start;
				this.#durations.set(test.id, timeSpentMs);
				const { id, name } = test;
				const common = { id, name, fileName: fileOf(id), timeSpentMs };
				if (failure === undefined) results.push({ ...common, status: TestStatus.Success });
				else results.push({ ...common, status: TestStatus.Failed, failureMessage: failure });
				if (failure !== undefined && !isDry) break;
			}
		} finally {
			this.#stryker.currentTestId = undefined;
			for (const { beforeAll, afterAll } of [...ready.keys()].toReversed()) {
				// what a file made when it was loaded stays: it isn't loaded again
				if (beforeAll.length > 0) for (const hook of afterAll) await hook();
			}
			await finishSuites();
		}
		if (isDry) spreadCoverage(this.#stryker.mutantCoverage?.perTest ?? {}, tests, ready);
		return results;
	}

	/** @returns {Promise<string | undefined>} how it failed */
	async #attempt(test, ready, isDry) {
		try {
			for (const suite of suitesOf(test.suite)) {
				if (ready.has(suite)) continue;
				ready.set(suite, `before ${test.id} ${ready.size}`);
				if (isDry) this.#stryker.currentTestId = ready.get(suite);
				for (const hook of suite.beforeAll) await hook();
			}
			if (isDry) this.#stryker.currentTestId = test.id;
			await runTest(test);
			return undefined;
		} catch (error) {
			return String(error?.stack ?? error);
		}
	}

	async dispose() {
		const suites = new Set([...this.#files.values()].flat().flatMap(({ suite }) => suitesOf(suite)));
		for (const { beforeAll, afterAll } of suites) {
			if (beforeAll.length === 0) for (const hook of afterAll) await hook();
		}
	}
}

/** What is imported by name is in the copy that was changed as well, and vitest is what collects its tests. */
function resolveInto(copy) {
	const places = [
		['vitest', new URL('./vitest.mjs', import.meta.url).href],
		['vulntune', pathToFileURL(path.join(copy, 'packages/vulntune/src/index.ts')).href],
		['@vulntune/engine', pathToFileURL(path.join(copy, 'packages/engine/src/index.ts')).href],
	];
	const urls = new Map(places);
	const engine = '@vulntune/engine/';
	module.registerHooks({
		resolve(name, context, next) {
			const url = name.startsWith(engine)
				? new URL(name.slice(engine.length), urls.get('@vulntune/engine')).href
				: urls.get(name);
			return url === undefined ? next(name, context) : { url, shortCircuit: true };
		},
	});
}

function fileOf(id) {
	return id.slice(0, id.indexOf('#'));
}

/** All tests of a suite reach what its `beforeAll` reach. */
function spreadCoverage(perTest, tests, ready) {
	for (const [suite, name] of ready) {
		const reached = Object.entries(perTest[name] ?? {});
		delete perTest[name];
		for (const { id } of tests.filter((test) => suitesOf(test.suite).includes(suite))) {
			perTest[id] ??= {};
			for (const [change, hits] of reached) perTest[id][change] = (perTest[id][change] ?? 0) + hits;
		}
	}
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'in-process', InProcessRunner)];

const texts = { type: 'array', items: { type: 'string' } };
export const strykerValidationSchema = {
	properties: {
		inProcess: {
			type: 'object',
			properties: { include: texts, exclude: texts, links: texts },
			required: ['include', 'exclude', 'links'],
		},
	},
};
