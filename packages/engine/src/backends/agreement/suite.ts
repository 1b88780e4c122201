import type { Backend } from '../contract.ts';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { withBfloat16Activations } from '../testing/bfloat16-activations.ts';
import { relativeDistance } from '../testing/tensors.ts';
import { elementwiseCases } from './elementwise.ts';
import type { IndependenceCase } from './independence.ts';
import { layerCases } from './layers.ts';
import { productCases } from './products.ts';
import { rowAndLossCases } from './rows-and-losses.ts';
import {
	type ActivationType,
	type AgreementCase,
	bf16Tolerance,
	float16Tolerance,
	type Outputs,
	runOn,
} from './workbench.ts';

/** Every kernel of the contract, in cases that any backend can run: with the test runner, or without it on another machine. */
export const fixedCases: readonly AgreementCase[] = [
	...elementwiseCases,
	...productCases,
	...layerCases,
	...rowAndLossCases,
];

export const reference = createReferenceBackend();
const bfloat16Reference = withBfloat16Activations(reference);

/** Kernels that take no activations. */
const ofFloats: ReadonlySet<string> = new Set([
	...['scaleRows', 'sumOfSquares', 'adamW', 'adamW8bit', 'copy', 'dequantize', 'quantizeTable4'],
	...['poolRows', 'poolRowsBackward', 'focalLoss', 'focalOfNegLogP'],
	...['linearCrossEntropy', 'linearCrossEntropyBackward'],
]);

/** Where a token sees next to nothing, little is left of the gradient of attention but rounding. */
const nextToNothing = /^attention .* segments 1( 1)*( under.*)?$/;

/** Those of the cases that have activations, with these in bfloat16. */
export function inBfloat16(cases: readonly AgreementCase[]): readonly AgreementCase[] {
	return cases
		.filter(
			({ kernels, name }) => !kernels.every((kernel) => ofFloats.has(kernel)) && !nextToNothing.test(name),
		)
		.map((one) => ({
			...one,
			name: `${one.name}, activations in bfloat16`,
			activations: 'bf16',
			tolerance: bf16Tolerance,
		}));
}

/** The cases as a card computes them whose tensor cores take float16 in place of bfloat16. */
export function inFloat16Products(cases: readonly AgreementCase[]): readonly AgreementCase[] {
	return cases.map((one) =>
		one.withoutBfloat16 === undefined
			? one
			: { ...one, tolerance: Math.max(one.tolerance, float16Tolerance) },
	);
}

/** What a backend makes of a case. */
export function foundOn(backend: Backend, testCase: AgreementCase): Outputs {
	return runOn(backend, seedOf(testCase.name), testCase.run, testCase.activations);
}

const expectedOutputs = new Map<AgreementCase, readonly Outputs[]>();

/** What the reference gives for a case, in bf16 and without if that is allowed; computed once for all backends. */
export function expectedOf(testCase: AgreementCase): readonly Outputs[] {
	const known = expectedOutputs.get(testCase);
	if (known !== undefined) return known;
	const runs = [testCase.run, testCase.withoutBfloat16].filter((run) => run !== undefined);
	const { activations, name } = testCase;
	const oracle = activations === 'bf16' ? bfloat16Reference : reference;
	const outputs = runs.map((run) => runOn(oracle, seedOf(name), run, activations));
	expectedOutputs.set(testCase, outputs);
	return outputs;
}

/** Another seed for each case, the same in every run. */
export function seedOf(name: string): number {
	let seed = 0;
	for (const character of name) seed = (seed * 31 + character.codePointAt(0)!) % 1_000_003;
	return seed;
}

export function bytesOf(values: ArrayBufferView): Buffer {
	return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** The farthest output beyond the tolerance from what is expected; whole numbers must be equal. */
function farthestFrom(expected: Outputs, found: Outputs, tolerance: number): string | undefined {
	if ([...found.keys()].join() !== [...expected.keys()].join()) return 'other outputs than expected';
	let farthest: { distance: number; name: string } | undefined;
	for (const [name, values] of expected) {
		const isFloat = values instanceof Float32Array || values instanceof Float64Array;
		const distance = relativeDistance(found.get(name)!, values);
		if (distance <= (isFloat ? tolerance : 0)) continue;
		if (farthest === undefined || !(distance <= farthest.distance)) farthest = { distance, name };
	}
	return farthest && `distance ${farthest.distance} of ${farthest.name}`;
}

/** How far outputs lie from the reference (from the nearer one where two are allowed); undefined if within the tolerance. */
export function disagreement(testCase: AgreementCase, found: Outputs): string | undefined {
	const all = expectedOf(testCase).map((expected) => farthestFrom(expected, found, testCase.tolerance));
	return all.includes(undefined) ? undefined : all.join(', ');
}

/** Which part of a case gets other bytes alone than in the whole; undefined if none does. */
export function dependence(
	backend: Backend,
	testCase: IndependenceCase,
	activations: ActivationType = 'f32',
): string | undefined {
	const seed = seedOf(testCase.name);
	const runPart = (from: number, to: number) =>
		runOn(backend, seed, (bench) => testCase.run(bench, from, to), activations);
	const whole = runPart(0, testCase.rows);
	for (const [from, to] of testCase.parts) {
		const part = runPart(from, to);
		for (const [name, values] of part) {
			const all = whole.get(name)!;
			const width = all.length / testCase.rows;
			const expected = bytesOf(all.slice(from * width, to * width));
			if (!bytesOf(values).equals(expected)) return `${name} of rows ${from} to ${to}`;
		}
	}
	return undefined;
}
