/**
 * Every kernel of the contract, on every backend of this machine: against the reference backend, with 1 and 2
 * threads, and row by row. A new backend joins by a line in testing/backends-under-test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isNightly, seedsFor } from '../../../../tests/nightly/nightly.ts';
import { elementwiseCases } from './agreement/elementwise.ts';
import { independenceCases } from './agreement/independence.ts';
import { layerCases } from './agreement/layers.ts';
import { productCases } from './agreement/products.ts';
import { randomCases } from './agreement/random.ts';
import { rowAndLossCases } from './agreement/rows-and-losses.ts';
import { type AgreementCase, type Outputs, runOn } from './agreement/workbench.ts';
import type { Backend } from './contract.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { type BackendUnderTest, backendsUnderTest } from './testing/backends-under-test.ts';
import { relativeDistance } from './testing/tensors.ts';

const agreementCases: readonly AgreementCase[] = [
	...elementwiseCases,
	...productCases,
	...layerCases,
	...rowAndLossCases,
	...seedsFor('agreement', { suite: 2, nightly: 200 }).flatMap(randomCases),
];

const reference = createReferenceBackend();
const expectedOutputs = new Map<AgreementCase, readonly Outputs[]>();

/** What the reference gives for a case, in bf16 and without if that is allowed; computed once for all backends. */
function expectedOf(testCase: AgreementCase): readonly Outputs[] {
	const known = expectedOutputs.get(testCase);
	if (known !== undefined) return known;
	const runs = [testCase.run, testCase.withoutBfloat16].filter((run) => run !== undefined);
	const outputs = runs.map((run) => runOn(reference, seedOf(testCase.name), run));
	expectedOutputs.set(testCase, outputs);
	return outputs;
}

/** Distance from the reference; from the nearer one where two are allowed. Whole numbers must be equal. */
function expectAgreement(testCase: AgreementCase, found: Outputs): void {
	const distances = expectedOf(testCase).map((expected) => {
		expect([...found.keys()]).toEqual([...expected.keys()]);
		const farthest = { distance: 0, name: '' };
		for (const [name, values] of expected) {
			const isFloat = values instanceof Float32Array || values instanceof Float64Array;
			const distance = relativeDistance(found.get(name)!, values);
			if (distance <= (isFloat ? testCase.tolerance : 0)) continue;
			if (!(distance <= farthest.distance)) Object.assign(farthest, { distance, name });
		}
		return farthest;
	});
	const agrees = distances.some(({ distance }) => distance === 0);
	expect(
		agrees,
		`distance ${distances.map(({ distance, name }) => `${distance} of ${name}`).join(', ')}`,
	).toBe(true);
}

/** Another seed for each case, the same in every run. */
function seedOf(name: string): number {
	let seed = 0;
	for (const character of name) seed = (seed * 31 + character.codePointAt(0)!) % 1_000_003;
	return seed;
}

function bytesOf(values: ArrayBufferView): Buffer {
	return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** The first kernel of a case that a backend under construction does not have. */
function missingKernel(backend: Backend, kernels: readonly (keyof Backend)[]): string | undefined {
	return kernels.find((kernel) => typeof backend[kernel] !== 'function');
}

it('covers every kernel of the contract', () => {
	const memory = ['allocate', 'free', 'upload', 'download', 'memory', 'close'];
	const kernels = Object.entries(reference).filter(([, value]) => typeof value === 'function');
	const covered = new Set<string>([...memory, ...agreementCases.flatMap((testCase) => testCase.kernels)]);
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

		it.for(cases)('$name', (testCase, context) => {
			const missing = missingKernel(two, testCase.kernels);
			context.skip(missing !== undefined, `${two.name} has no ${missing}`);
			const seed = seedOf(testCase.name);
			const found = runOn(two, seed, testCase.run);
			const single = runOn(one, seed, testCase.run);
			expectAgreement(testCase, found);
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

		it.for(independenceCases)('$name', (testCase, context) => {
			const missing = missingKernel(backend, testCase.kernels);
			context.skip(missing !== undefined, `${backend.name} has no ${missing}`);
			const seed = seedOf(testCase.name);
			const whole = runOn(backend, seed, (bench) => testCase.run(bench, 0, testCase.rows));
			for (const [from, to] of testCase.parts) {
				const part = runOn(backend, seed, (bench) => testCase.run(bench, from, to));
				for (const [name, values] of part) {
					const all = whole.get(name)!;
					const width = all.length / testCase.rows;
					const expected = bytesOf(all.slice(from * width, to * width));
					expect(bytesOf(values).equals(expected), `${name} of rows ${from} to ${to}`).toBe(true);
				}
			}
		});
	},
);
