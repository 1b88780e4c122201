/**
 * The agreement suite over the CUDA backend, with its kernels emulated on the host behind a stand-in for libcuda. The emulation is
 * slow, so of each kind of case the first and one in the middle run here and all in `npm run nightly`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isNightly } from '../../../../../tests/nightly/nightly.ts';
import { independenceCases } from '../agreement/independence.ts';
import { dependence, disagreement, fixedCases, seedOf } from '../agreement/suite.ts';
import { type AgreementCase, bf16Tolerance, runOn } from '../agreement/workbench.ts';
import type { Backend } from '../contract.ts';
import type { CudaBackendOptions } from './cuda.ts';
import { createStandInBackend, prepareStandIn, type StandIn } from './testing/stand-in.ts';

const { missing } = await prepareStandIn();

/** The first case and one in the middle, the larger ones being last, of those whose names differ in numbers alone. */
function sample(cases: readonly AgreementCase[]): readonly AgreementCase[] {
	if (isNightly) return cases;
	const kinds = Map.groupBy(cases, ({ name }) => name.replace(/[-\d\s.,×/[\]]+/g, ' '));
	return [...kinds.values()].flatMap((same) => [...new Set([same[0]!, same[Math.floor(same.length / 2)]!])]);
}

const inBfloat16 = /^(matmulTN|matmul.* (table4|bf16)|lora|linear|linearCrossEntropy.* table4) bf16/;
const products = fixedCases.filter(({ name }) => inBfloat16.test(name));

/** On tensor cores; one token a segment leaves a gradient that is rounding alone. */
const attention = sample(fixedCases)
	.filter(({ name }) => /^attention/.test(name) && !/(segments 1( 1)*( under.*)?$|window of 1,)/.test(name))
	.map((one) => ({ ...one, tolerance: bf16Tolerance }));

/** Cards on which products take other kernels. */
const cards: readonly {
	readonly card: string;
	readonly kind: StandIn;
	readonly options?: CudaBackendOptions;
	readonly cases: readonly AgreementCase[];
}[] = [
	{ card: 'of tensor cores', kind: {}, cases: sample(fixedCases) },
	{ card: 'of many multiprocessors', kind: { multiprocessors: 132 }, cases: sample(products) },
	{ card: 'with attention in bfloat16', kind: {}, options: { attention: 'bf16' }, cases: attention },
	{ card: 'without bfloat16', kind: { capability: 75 }, cases: sample(products) },
];

describe.skipIf(missing !== undefined).each(cards)('cuda on a card $card', ({ kind, options, cases }) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createStandInBackend(kind, options);
	});
	afterAll(() => backend.close());

	it.for(cases)('agrees in $name', (testCase) => {
		const found = runOn(backend, seedOf(testCase.name), testCase.run);
		expect(disagreement(testCase, found)).toBe(undefined);
		expect(backend.memory().liveBuffers).toBe(0);
	});
});

describe.skipIf(missing !== undefined).each([
	{ arithmetic: 'fp32', cases: independenceCases },
	{ arithmetic: 'bf16', cases: independenceCases.filter(({ name }) => name.startsWith('attention')) },
] as const)(
	'cuda with attention in $arithmetic computes each part alone as in the whole',
	({ arithmetic, cases }) => {
		let backend: Backend;
		beforeAll(() => {
			backend = createStandInBackend({}, { attention: arithmetic });
		});
		afterAll(() => backend.close());

		it.for(cases)('$name', (testCase) => {
			expect(dependence(backend, testCase)).toBe(undefined);
		});
	},
);
