import { isQuantized, type LoraOptions, type Precision } from '../contract.ts';
import { randomWeight, type WeightKind, weightKinds } from './weights.ts';
import {
	type AgreementCase,
	bf16Tolerance,
	fp32Tolerance,
	inPrecision,
	type Workbench,
} from './workbench.ts';

/** [M, N, K] */
const shapes = [
	[1, 1, 1],
	[1, 5, 7],
	[1, 64, 64],
	[2, 3, 65],
	[7, 9, 130],
	[17, 48, 127],
	[33, 129, 192],
	[70, 33, 577],
	[96, 200, 320],
] as const;
const precisions: readonly Precision[] = ['fp32', 'bf16'];

type Size = readonly [m: number, n: number, k: number];

function runFrozen(bench: Workbench, kind: WeightKind, precision: Precision, [m, n, k]: Size): void {
	const { backend, output, normal, draw } = bench;
	const weight = randomWeight(bench, kind, n, k);
	const [x, dy] = [normal([m, k]), normal([m, n])];
	const plain = { precision, accumulate: false, scale: 1 };
	const added = { precision, accumulate: true, scale: -0.7 };
	backend.matmulNT(output('y', [m, n]), x, weight, plain);
	backend.matmulNT(output('y added', [m, n], draw.normal(m * n)), x, weight, added);
	backend.matmulNN(output('dx', [m, k]), dy, weight, plain);
	backend.matmulNN(output('dx added', [m, k], draw.normal(m * k)), dy, weight, added);
}

const frozen: readonly AgreementCase[] = weightKinds.flatMap((kind) =>
	precisions.flatMap((precision) =>
		shapes.map((shape) => ({
			name: `matmulNT, matmulNN ${kind} ${precision} [${shape.join(', ')}]`,
			kernels: ['matmulNT', 'matmulNN'],
			tolerance: fp32Tolerance,
			...inPrecision(precision, (bench, used) => runFrozen(bench, kind, used, shape)),
		})),
	),
);

const dequantized: readonly AgreementCase[] = weightKinds.flatMap((kind) =>
	shapes.map(([, n, k]) => ({
		name: `dequantize ${kind} [${n}, ${k}]`,
		kernels: ['dequantize'],
		tolerance: 0,
		run(bench) {
			const weight = randomWeight(bench, kind, n, k);
			if (isQuantized(weight)) bench.backend.dequantize(bench.output('values', [n, k]), weight);
		},
	})),
);

function runTrained(
	{ backend, output, normal, draw }: Workbench,
	precision: Precision,
	[m, n, k]: Size,
): void {
	const [dy, x] = [normal([m, n]), normal([m, k])];
	const plain = { precision, accumulate: false, scale: 1 };
	const added = { precision, accumulate: true, scale: -0.7 };
	backend.matmulTN(output('dW', [n, k]), dy, x, plain);
	backend.matmulTN(output('dW added', [n, k], draw.normal(n * k)), dy, x, added);
}

const trained: readonly AgreementCase[] = precisions.flatMap((precision) =>
	shapes.map((shape) => ({
		name: `matmulTN ${precision} [${shape.join(', ')}]`,
		kernels: ['matmulTN'],
		tolerance: fp32Tolerance,
		...inPrecision(precision, (bench, used) => runTrained(bench, used, shape)),
	})),
);

const ranks = [1, 3, 8, 16, 33];

function runLora(
	{ backend, output, normal, draw }: Workbench,
	[m, n, k]: Size,
	rank: number,
	options: LoraOptions,
): void {
	const [x, a, b] = [normal([m, k]), normal([rank, k]), normal([n, rank])];
	const h = output('h', [m, rank]);
	backend.loraForward(output('y', [m, n], draw.normal(m * n)), h, x, a, b, options);
	const saved = { x, h, a, b };
	const dy = normal([m, n]);
	for (const accumulate of [false, true]) {
		const destination = (name: string, rows: number, columns: number) => {
			const start = accumulate ? draw.normal(rows * columns) : undefined;
			return { view: output(`${name}${accumulate ? ' added' : ''}`, [rows, columns], start), accumulate };
		};
		const [dA, dB] = [destination('dA', rank, k), destination('dB', n, rank)];
		backend.loraBackward({ dx: destination('dx', m, k), dA, dB }, saved, dy, options);
	}
	const without = { view: output('dA without dx', [rank, k]), accumulate: false };
	const other = { view: output('dB without dx', [n, rank]), accumulate: false };
	backend.loraBackward({ dx: undefined, dA: without, dB: other }, saved, dy, options);
}

const lora: readonly AgreementCase[] = precisions.flatMap((precision) =>
	shapes.flatMap((shape, i) =>
		[undefined, { seed: 5, stream: 77, probability: 0.25 }].map((dropout): AgreementCase => {
			const rank = ranks[i % ranks.length]!;
			const kind = dropout === undefined ? '' : ', dropout';
			return {
				name: `lora ${precision} [${shape.join(', ')}] rank ${rank}${kind}`,
				kernels: ['loraForward', 'loraBackward'],
				tolerance: precision === 'fp32' ? fp32Tolerance : bf16Tolerance,
				...inPrecision(precision, (bench, used) =>
					runLora(bench, shape, rank, { scale: 1.5, precision: used, dropout }),
				),
			};
		}),
	),
);

export const productCases: readonly AgreementCase[] = [
	...frozen,
	...dequantized.filter(({ name }) => !/ (f32|bf16|f16) /.test(name)),
	...trained,
	...lora,
];
