/**
 * The agreement suite over the CUDA backend, with its kernels emulated on the host behind a stand-in for libcuda. The emulation is
 * slow, so of each kind of case the first and one in the middle run here and all in `npm run nightly`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isNightly } from '../../../../../tests/nightly/nightly.ts';
import { independenceCases } from '../agreement/independence.ts';
import {
	dependence,
	disagreement,
	fixedCases,
	foundOn,
	inBfloat16,
	inFloat16Products,
} from '../agreement/suite.ts';
import type { AgreementCase } from '../agreement/workbench.ts';
import type { Backend } from '../contract.ts';
import { createStandInBackend, prepareStandIn, type StandIn } from './testing/stand-in.ts';

const { missing } = await prepareStandIn();

/** The first case and one in the middle, the larger ones being last, of those whose names differ in numbers alone. */
function sample(cases: readonly AgreementCase[]): readonly AgreementCase[] {
	if (isNightly) return cases;
	const kinds = Map.groupBy(cases, ({ name }) => name.replace(/[-\d\s.,×/[\]]+/g, ' '));
	return [...kinds.values()].flatMap((same) => [...new Set([same[0]!, same[Math.floor(same.length / 2)]!])]);
}

const onTensorCores =
	/^(matmulTN|matmul.* (table4|bf16)|lora|lora of many tokens|linear|linearCrossEntropy.* table4) bf16/;
const products = sample(fixedCases).filter(({ name }) => onTensorCores.test(name));
const attention = sample(fixedCases).filter(({ name }) => name.startsWith('attention'));
const narrow = inBfloat16(sample(fixedCases));

/** Cards on which products and attention take other kernels, and activations of both types. */
const cards: readonly {
	readonly card: string;
	readonly kind: StandIn;
	readonly cases: readonly AgreementCase[];
}[] = [
	{ card: 'of tensor cores', kind: {}, cases: [...sample(fixedCases), ...narrow] },
	{ card: 'of many multiprocessors', kind: { multiprocessors: 132 }, cases: inBfloat16(products) },
	{
		card: 'of the Turing generation',
		kind: { capability: 75 },
		cases: [...inFloat16Products(products), ...inBfloat16([...products, ...attention])],
	},
	{
		card: 'of the Turing generation with many multiprocessors',
		kind: { capability: 75, multiprocessors: 40 },
		cases: inBfloat16(products),
	},
	{
		card: 'of the Volta generation',
		kind: { capability: 70 },
		cases: [...products, ...inBfloat16([...products, ...attention])],
	},
];

describe.skipIf(missing !== undefined).each(cards)('cuda on a card $card', ({ kind, cases }) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createStandInBackend(kind);
	});
	afterAll(() => backend.close());

	it.for(cases)('agrees in $name', (testCase) => {
		expect(disagreement(testCase, foundOn(backend, testCase))).toBe(undefined);
		expect(backend.memory().liveBuffers).toBe(0);
	});
});

const independence = [
	{ card: 'of tensor cores', type: 'f32', kind: {}, cases: independenceCases },
	{ card: 'of tensor cores', type: 'bf16', kind: {}, cases: independenceCases },
	{
		card: 'of the Turing generation',
		type: 'bf16',
		kind: { capability: 75 },
		cases: independenceCases.filter(({ name }) => /^attention| bf16/.test(name)),
	},
] as const;

describe.skipIf(missing !== undefined).each(independence)(
	'cuda on a card $card with activations in $type computes each part alone as in the whole',
	({ type, kind, cases }) => {
		let backend: Backend;
		beforeAll(() => {
			backend = createStandInBackend(kind);
		});
		afterAll(() => backend.close());

		it.for(cases)('$name', (testCase) => {
			expect(dependence(backend, testCase, type)).toBe(undefined);
		});
	},
);
