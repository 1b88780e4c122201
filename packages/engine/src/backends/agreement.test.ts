/**
 * Every kernel of the contract, on every backend of this machine's processor: against the reference backend, with 1 and 2
 * threads, and row by row. Such a backend joins by a line in testing/backends-under-test.ts; one of a device runs the same cases
 * from a file of its own (cuda/agreement.test.ts).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isNightly, seedsFor } from '../../../../tests/nightly/nightly.ts';
import { independenceCases } from './agreement/independence.ts';
import { randomCases } from './agreement/random.ts';
import {
	bytesOf,
	dependence,
	disagreement,
	expectedOf,
	fixedCases,
	foundOn,
	reference,
} from './agreement/suite.ts';
import type { AgreementCase } from './agreement/workbench.ts';
import type { Backend } from './contract.ts';
import { isKernel } from './method-groups.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { type BackendUnderTest, backendsUnderTest } from './testing/backends-under-test.ts';

const agreementCases: readonly AgreementCase[] = [
	...fixedCases,
	...seedsFor('agreement', { suite: 2, nightly: 200 }).flatMap(randomCases),
];

it('covers every kernel of the contract', () => {
	const kernels = Object.entries(reference).filter(
		([name, value]) => typeof value === 'function' && isKernel(name),
	);
	const covered = new Set<string>(agreementCases.flatMap((testCase) => testCase.kernels));
	expect(kernels.map(([name]) => name).filter((name) => !covered.has(name))).toEqual([]);
});

const underTest = backendsUnderTest();
const widest = underTest.findIndex(({ name }) => /^cpu (?!.*emulated)/.test(name));

/** Values that a case compares: what it takes is proportional to them. */
function valuesOf(testCase: AgreementCase): number {
	return [...expectedOf(testCase)[0]!.values()].reduce((sum, { length }) => sum + length, 0);
}

/**
 * What a backend is tested on: the widest instruction set and WebAssembly on everything, each of the others on every small
 * case (all edges of vectors and tiles are small) and on its share of the large ones, which take most of the time.
 */
function casesOf(index: number): readonly AgreementCase[] {
	const isWhole = isNightly || index === widest || underTest[index]!.name === 'wasm';
	if (isWhole) return agreementCases;
	return agreementCases.filter((testCase, i) => valuesOf(testCase) <= 4000 || i % underTest.length === index);
}

describe.each(underTest.map((backend, index) => ({ ...backend, cases: casesOf(index) })))(
	'$name agrees with the reference',
	({ create, cases }) => {
		let one: Backend;
		let two: Backend;
		beforeAll(() => {
			one = create(1);
			two = create(2);
		});
		afterAll(() => {
			one.close();
			two.close();
		});

		it.for(cases)('$name', (testCase) => {
			const found = foundOn(two, testCase);
			const single = foundOn(one, testCase);
			expect(disagreement(testCase, found)).toBe(undefined);
			for (const [name, values] of found) {
				const sameBytes = bytesOf(values).equals(bytesOf(single.get(name)!));
				expect(sameBytes, `${name} is the same with 1 and 2 threads`).toBe(true);
			}
			expect(two.memory().liveBuffers).toBe(0);
		});
	},
);

const referenceUnderTest: BackendUnderTest = { name: 'reference', create: () => createReferenceBackend() };

describe.each([referenceUnderTest, ...underTest])(
	'$name computes each part alone as in the whole',
	({ create }) => {
		let backend: Backend;
		beforeAll(() => {
			backend = create(2);
		});
		afterAll(() => backend.close());

		it.for(independenceCases)('$name', (testCase) => {
			expect(dependence(backend, testCase)).toBe(undefined);
		});
	},
);
