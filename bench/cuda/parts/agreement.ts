import type { Backend } from '@vulntune/engine';
import { independenceCases } from '@vulntune/engine/backends/agreement/independence.ts';
import {
	dependence,
	disagreement,
	fixedCases,
	foundOn,
	inBfloat16,
	inFloat16Products,
} from '@vulntune/engine/backends/agreement/suite.ts';
import type { ActivationType, AgreementCase } from '@vulntune/engine/backends/agreement/workbench.ts';
import { type Kernels, openBackend } from '../backend.ts';

interface Failure {
	readonly name: string;
	readonly what: string;
}

/** The agreement suite with each choice of kernels, its outputs the same bytes when they are computed again. */
export function agreementPart() {
	const ofTensorCores = fixedCases.filter(({ name }) => /bf16/.test(name));
	return {
		all: runSuite({}, fixedCases),
		'tensor-core products of other cards': runSuite({ choice: 'mma' }, ofTensorCores),
		'activations in bfloat16': runSuite({}, inBfloat16(fixedCases), 'bf16'),
		'activations in bfloat16, products of other cards': runSuite(
			{ choice: 'mma' },
			inBfloat16(ofTensorCores),
			'bf16',
		),
		'the kernels of a T4': runSuite({ capability: 75 }, inFloat16Products(fixedCases)),
		'the kernels of a T4, activations in bfloat16': runSuite(
			{ capability: 75 },
			inFloat16Products(inBfloat16(fixedCases)),
			'bf16',
		),
		'the kernels of a V100': runSuite({ capability: 70 }, fixedCases),
		'the kernels of a V100, activations in bfloat16': runSuite(
			{ capability: 70 },
			inBfloat16(fixedCases),
			'bf16',
		),
	};
}

function runSuite(kernels: Kernels, cases: readonly AgreementCase[], activations: ActivationType = 'f32') {
	const backend = openBackend(kernels);
	const isolated = independenceCases.filter((independent) =>
		cases.some((one) => one.kernels[0] === independent.kernels[0]),
	);
	const failures = [
		...cases.flatMap((one) => check(one.name, () => disagrees(backend, one))),
		...isolated.flatMap((one) => check(one.name, () => dependence(backend, one, activations))),
	];
	backend.close();
	return { cases: cases.length, independence: isolated.length, failures };
}

function disagrees(backend: Backend, testCase: AgreementCase): string | undefined {
	const [found, again] = [0, 1].map(() => foundOn(backend, testCase));
	const differing = [...found!].find(([name, values]) => {
		const [a, b] = [values, again!.get(name)!].map(({ buffer }) => Buffer.from(buffer));
		return !a!.equals(b!);
	});
	if (differing !== undefined) return `${differing[0]} has other bytes the second time`;
	return disagreement(testCase, found!);
}

function check(name: string, run: () => string | undefined): Failure[] {
	try {
		const what = run();
		return what === undefined ? [] : [{ name, what }];
	} catch (error) {
		return [{ name, what: String(error) }];
	}
}
