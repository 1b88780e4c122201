import { roundToBfloat16, roundToFloat16 } from '../../formats/floats.ts';
import {
	type Dropout,
	type FloatPrecision,
	isQuantized,
	type LinearOptions,
	type LoraOptions,
	type Precision,
} from '../contract.ts';
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
const floatPrecisions: readonly FloatPrecision[] = ['fp32', 'bf16'];
const precisions: readonly Precision[] = [...floatPrecisions, 'int8'];

type Size = readonly [m: number, n: number, k: number];

function runFrozen(bench: Workbench, kind: WeightKind, precision: Precision, [m, n, k]: Size): void {
	const { backend, activation, result, draw } = bench;
	const weight = randomWeight(bench, kind, n, k);
	const [x, dy] = [activation([m, k]), activation([m, n])];
	const plain = { precision, accumulate: false, scale: 1 };
	const added = { precision, accumulate: true, scale: -0.7 };
	backend.matmulNT(result('y', [m, n]), x, weight, plain);
	backend.matmulNT(result('y added', [m, n], draw.normal(m * n)), x, weight, added);
	backend.matmulNN(result('dx', [m, k]), dy, weight, plain);
	backend.matmulNN(result('dx added', [m, k], draw.normal(m * k)), dy, weight, added);
}

export const frozenCaseOf = (kind: WeightKind, precision: Precision, shape: Size): AgreementCase => ({
	name: `matmulNT, matmulNN ${kind} ${precision} [${shape.join(', ')}]`,
	kernels: ['matmulNT', 'matmulNN'],
	tolerance: fp32Tolerance,
	...inPrecision(precision, (bench, used) => runFrozen(bench, kind, used, shape)),
});

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

/** NF4's shape, and one with two zeros, as FP4 has them, whose ends alone are where they are in an ascending one. */
const codebooks: Readonly<Record<string, readonly number[]>> = {
	ascending: Array.from({ length: 16 }, (_, code) => Math.tanh((code - 7) / 5)),
	'out of order': [-1, 0, 0.005, 0.67, -0.25, 0.33, 0.5, 0.17, 0.25, 0, -0.005, -0.67, -0.33, -0.5, -0.17, 1],
};

const quantized: readonly AgreementCase[] = [1, 2, 63, 64, 65, 1001, 40_000].flatMap((length) =>
	Object.entries(codebooks).flatMap(([order, values]) =>
		(['f32', 'bf16', 'f16'] as const).map((dtype) => ({
			name: `quantizeTable4 ${order} of ${length} ${dtype}`,
			kernels: ['quantizeTable4'],
			tolerance: 0,
			run({ backend, draw, input, output, record }) {
				const numbers = draw.normal(length).slice();
				// a block of zeros, one that is nearly so, and values that lie on midpoints
				numbers.fill(0, 64, 128).fill(1e-42, 128, 192);
				for (let i = 192; i < Math.min(length, 256); i++) numbers[i] = Math.fround((i - 224) / 32);
				const source = {
					f32: () => input([length], numbers),
					bf16: () => input([length], roundToBfloat16(numbers), dtype),
					f16: () => input([length], roundToFloat16(numbers), dtype),
				};
				const codes = output('codes', [Math.ceil(length / 2)], undefined, 'u8');
				const absmax = output('absmax', [Math.ceil(length / 64)]);
				const codebook = input([16], Float32Array.from(values));
				record('none is not finite', [backend.quantizeTable4(codes, absmax, codebook, source[dtype]())]);
				for (const wrong of [Number.NaN, -Infinity]) {
					const at = Math.floor(length * 0.7);
					const damaged = input([length], numbers.with(at, wrong).fill(wrong, Math.min(length, at + 3)));
					record(`${wrong}`, [backend.quantizeTable4(codes, absmax, codebook, damaged)]);
				}
				backend.quantizeTable4(codes, absmax, codebook, source[dtype]());
			},
		})),
	),
);

const quantizationErrors: readonly AgreementCase[] = [1, 63, 65, 1001, 40_000].flatMap((length) =>
	(['f32', 'bf16', 'f16'] as const).map((dtype) => ({
		name: `table4Errors of ${length} ${dtype}`,
		kernels: ['table4Errors'],
		tolerance: fp32Tolerance,
		run({ backend, draw, input, record }) {
			const numbers = draw.normal(length);
			const stored = {
				f32: () => input([length], numbers),
				bf16: () => input([length], roundToBfloat16(numbers), dtype),
				f16: () => input([length], roundToFloat16(numbers), dtype),
			};
			const [codes, scales] = [
				draw.integers(Math.ceil(length / 2), 256),
				draw.normal(Math.ceil(length / 64)),
			];
			const errors = backend.table4Errors(
				input([codes.length], Uint8Array.from(codes)),
				input([scales.length], scales),
				input([16], Float32Array.from(codebooks['out of order']!)),
				stored[dtype](),
			);
			for (const [name, sum] of Object.entries(errors)) record(name, [sum]);
		},
	})),
);

function runTrained(
	{ backend, output, activation, draw }: Workbench,
	precision: FloatPrecision,
	[m, n, k]: Size,
): void {
	const [dy, x] = [activation([m, n]), activation([m, k])];
	const plain = { precision, accumulate: false, scale: 1 };
	const added = { precision, accumulate: true, scale: -0.7 };
	backend.matmulTN(output('dW', [n, k]), dy, x, plain);
	backend.matmulTN(output('dW added', [n, k], draw.normal(n * k)), dy, x, added);
}

export const trainedCaseOf = (precision: FloatPrecision, shape: Size): AgreementCase => ({
	name: `matmulTN ${precision} [${shape.join(', ')}]`,
	kernels: ['matmulTN'],
	tolerance: fp32Tolerance,
	...inPrecision(precision, (bench, used) => runTrained(bench, used, shape)),
});

const ranks = [1, 3, 8, 16, 33];

/** Where a gradient goes: over what is there, or where there is something to draw, added to that. */
function destinationOf(
	make: Workbench['output'] | Workbench['result'],
	name: string,
	rows: number,
	columns: number,
	start: Workbench['draw'] | undefined,
) {
	const view = make(
		`${name}${start === undefined ? '' : ' added'}`,
		[rows, columns],
		start?.normal(rows * columns),
	);
	return { view, accumulate: start !== undefined };
}

function runLora(
	{ backend, output, normal, activation, result, draw }: Workbench,
	[m, n, k]: Size,
	rank: number,
	options: LoraOptions,
): void {
	const [x, a, b] = [activation([m, k]), normal([rank, k]), normal([n, rank])];
	const h = output('h', [m, rank]);
	backend.loraForward(result('y', [m, n], draw.normal(m * n)), h, x, a, b, options);
	const saved = { x, h, a, b };
	const dy = activation([m, n]);
	for (const accumulate of [false, true]) {
		const start = accumulate ? draw : undefined;
		const dA = destinationOf(output, 'dA', rank, k, start);
		const dB = destinationOf(output, 'dB', n, rank, start);
		backend.loraBackward({ dx: destinationOf(result, 'dx', m, k, start), dA, dB }, saved, dy, options);
	}
	const without = { view: output('dA without dx', [rank, k]), accumulate: false };
	const other = { view: output('dB without dx', [n, rank]), accumulate: false };
	backend.loraBackward({ dx: undefined, dA: without, dB: other }, saved, dy, options);
}

const someDropout: Dropout = { seed: 5, stream: 77, probability: 0.25 };
const dropouts = [undefined, someDropout];

export const loraCaseOf = (
	precision: FloatPrecision,
	shape: Size,
	rank: number,
	dropout: Dropout | undefined,
	what = 'lora',
): AgreementCase => ({
	name: `${what} ${precision} [${shape.join(', ')}] rank ${rank}${dropout === undefined ? '' : ', dropout'}`,
	kernels: ['loraForward', 'loraBackward'],
	tolerance: precision === 'fp32' ? fp32Tolerance : bf16Tolerance,
	...inPrecision(precision, (bench, used) =>
		runLora(bench, shape, rank, { scale: 1.5, precision: used, dropout }),
	),
});

/** Layers that share an input: outputs, kind of the weight, rank of the adapter (0: none). */
type LayerGroup = readonly (readonly [outputs: number, kind: WeightKind, rank: number])[];

const groups = [
	[[20, 'f32', 4]],
	[
		[33, 'table4', 8],
		[7, 'bf16', 0],
		[64, 'table4', 3],
	],
	[
		[5, 'f32', 8],
		[19, 'f32', 1],
		[40, 'int8', 33],
		[1, 'f32', 12],
		[70, 'table4', 16],
	],
] as const satisfies readonly LayerGroup[];

function runLinear(
	bench: Workbench,
	group: LayerGroup,
	[m, , k]: Size,
	options: Omit<LinearOptions, 'scale'>,
): void {
	const { backend, output, normal, activation, result, draw } = bench;
	const x = activation([m, k]);
	const layers = group.map(([n, kind, rank], i) => ({
		y: result(`y ${i}`, [m, n]),
		weight: randomWeight(bench, kind, n, k),
		lora:
			rank === 0
				? undefined
				: {
						h: output(`h ${i}`, [m, rank]),
						a: normal([rank, k]),
						b: normal([n, rank]),
						scale: 1 + i / 4,
						dropout: options.dropout && { ...options.dropout, stream: i },
					},
	}));
	backend.linearForward(x, layers, options.precision);
	for (const [i, { y, weight, lora }] of layers.entries()) {
		if (lora === undefined) continue;
		const [n, rank] = lora.b.shape as [number, number];
		const dy = activation(y.shape);
		for (const accumulate of [false, true]) {
			const start = accumulate ? draw : undefined;
			backend.linearBackward(
				{
					dx: destinationOf(result, `dx ${i}`, m, k, start),
					dA: destinationOf(output, `dA ${i}`, rank, k, start),
					dB: destinationOf(output, `dB ${i}`, n, rank, start),
				},
				{ x, weight, ...lora },
				dy,
				{ precision: options.precision, ...lora },
			);
		}
		backend.linearBackward(
			{
				dx: undefined,
				dA: { view: output(`dA ${i} without dx`, [rank, k]), accumulate: false },
				dB: { view: output(`dB ${i} without dx`, [n, rank]), accumulate: false },
			},
			{ x, weight, ...lora },
			dy,
			{ precision: options.precision, ...lora },
		);
	}
}

export const linearCaseOf = (
	precision: Precision,
	[m, , k]: Size,
	group: LayerGroup,
	dropout: Dropout | undefined,
): AgreementCase => ({
	name: `linear ${precision} [${m}, ${k}], ${group.length} layers${dropout === undefined ? '' : ', dropout'}`,
	kernels: ['linearForward', 'linearBackward'],
	tolerance: precision === 'fp32' ? fp32Tolerance : bf16Tolerance,
	...inPrecision(precision, (bench, used) =>
		runLinear(bench, group, [m, 0, k], { precision: used, dropout }),
	),
});

/** Every second shape; of the largest, which takes as long as all others, each group in one of two kinds. */
const linear: readonly AgreementCase[] = precisions.flatMap((precision) =>
	groups.flatMap((group, g) =>
		shapes
			.filter(([m], i) => i % 2 === 1 && (precision !== 'int8' || m > 50))
			.flatMap((shape) =>
				dropouts
					.filter((_, i) => shape[0] < 50 || i === g % 2)
					.map((dropout) => linearCaseOf(precision, shape, group, dropout)),
			),
	),
);

export const productCases: readonly AgreementCase[] = [
	...weightKinds.flatMap((kind) =>
		precisions.flatMap((precision) => shapes.map((shape) => frozenCaseOf(kind, precision, shape))),
	),
	...dequantized.filter(({ name }) => !/ (f32|bf16|f16) /.test(name)),
	...quantized,
	...quantizationErrors,
	...floatPrecisions.flatMap((precision) => shapes.map((shape) => trainedCaseOf(precision, shape))),
	...floatPrecisions.flatMap((precision) =>
		shapes.flatMap((shape, i) =>
			dropouts.map((dropout) => loraCaseOf(precision, shape, ranks[i % ranks.length]!, dropout)),
		),
	),
	// a backend may take the tokens apart
	...floatPrecisions.map((precision) =>
		loraCaseOf(precision, [300, 72, 136], precision === 'bf16' ? 32 : 12, someDropout, 'lora of many tokens'),
	),
	...linear,
];
