/**
 * As much of the test runner as the parity tests use, so that they run where there is a card and no room for it. Tests are gathered
 * when a file of them is loaded, and run by `runTests`.
 */
import assert from 'node:assert/strict';
import { format } from 'node:util';

type Body<Row> = (row: Row, ...more: readonly never[]) => unknown;

interface Test {
	readonly title: string;
	readonly run: () => unknown;
}

export interface Outcome {
	readonly passed: number;
	readonly failures: readonly { readonly title: string; readonly what: string }[];
}

const gathered: Test[] = [];
const around: string[] = [];

/** `$name` of a row, or its values in turn for each %s. */
function titled(title: string, row: unknown): string {
	const named = title.replace(/\$(\w+)/g, (whole, key: string) =>
		String((row as Record<string, unknown> | null)?.[key] ?? whole),
	);
	const values = Array.isArray(row) ? row : [row];
	return named.includes('%s') ? format(named, ...values.slice(0, named.split('%s').length - 1)) : named;
}

/** A function of the runner's, with its `each`, `skipIf` and `runIf`. */
function withVariants(run: (title: string, body: () => unknown) => void) {
	const each =
		<Row>(rows: readonly Row[]) =>
		(title: string, body: Body<Row>) => {
			for (const row of rows) {
				const values = (Array.isArray(row) ? row : [row]) as [Row, ...never[]];
				run(titled(title, row), () => body(...values));
			}
		};
	const nothing = Object.assign(() => {}, { each: () => () => {} });
	const all = Object.assign(run, { each });
	return Object.assign(all, {
		skipIf: (skip: boolean) => (skip ? nothing : all),
		runIf: (does: boolean) => (does ? all : nothing),
	});
}

export const describe = withVariants((title, body) => {
	around.push(title);
	body();
	around.pop();
});

export const it = withVariants((title, run) => {
	gathered.push({ title: [...around, title].join(', '), run });
});
export const test = it;

/** What they would put away lies in a folder of the check's, which goes with it. */
export const afterAll = (): void => {};

export function expect(found: never, what = '') {
	const fail = (how: string) => assert.fail(`${what} ${found} is ${how}`);
	return {
		toBe: (expected: unknown) => assert.ok(Object.is(found, expected), `${what} ${found} is not ${expected}`),
		toEqual: (expected: unknown) => assert.deepEqual(found, expected, what || undefined),
		toHaveLength: (length: number) => assert.equal((found as ArrayLike<unknown>).length, length, what),
		toBeLessThan: (limit: number) => {
			// not a number is not less
			if (!(found < limit)) fail(`not less than ${limit}`);
		},
		toBeCloseTo: (expected: number, digits = 2) => {
			if (!(Math.abs(found - expected) < 10 ** -digits / 2)) fail(`not ${expected} to ${digits} digits`);
		},
	};
}

/** Runs what was gathered whose title matches. */
export async function runTests(pattern: RegExp): Promise<Outcome> {
	const failures: { title: string; what: string }[] = [];
	const chosen = gathered.filter(({ title }) => pattern.test(title));
	for (const { title, run } of chosen) {
		try {
			await run();
		} catch (error) {
			failures.push({ title, what: error instanceof Error ? error.message : String(error) });
		}
	}
	return { passed: chosen.length - failures.length, failures };
}
