import { MOMENTS_PER_BLOCK } from '../contract.ts';
import { viewOf } from '../view.ts';
import { type AgreementCase, fp32Tolerance as tolerance } from './workbench.ts';

/** The largest is three pieces of work, the last one odd. */
const lengths = [1, 3, 63, 64, 65, 1001, 33_001];
const matrices = [
	[1, 1],
	[1, 70],
	[9, 1],
	[5, 33],
	[130, 577],
] as const;

const adamWOptions = {
	...{ learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
	...{ weightDecay: 0.05, gradientScale: 0.3 },
};

export const elementwiseCasesOf = (length: number): readonly AgreementCase[] => [
	{
		name: `fill ${length}`,
		kernels: ['fill'],
		tolerance: 0,
		run({ backend, output, result }) {
			backend.fill(result('floats', [length]), 0.1);
			backend.fill(output('integers', [length], undefined, 'i32'), -100);
		},
	},
	{
		name: `add, addScaled, scale ${length}`,
		kernels: ['add', 'addScaled', 'scale'],
		tolerance,
		run({ backend, activation, result, draw }) {
			const [a, b] = [activation([length]), activation([length])];
			backend.add(result('sum', [length]), a, b);
			const inPlace = result('sum in place', [length], draw.normal(length));
			backend.add(inPlace, a, inPlace);
			backend.addScaled(result('addScaled', [length], draw.normal(length)), b, -0.37);
			backend.scale(result('scale', [length], draw.normal(length)), 1.7);
		},
	},
	{
		name: `dropout ${length}`,
		kernels: ['dropout'],
		tolerance,
		run({ backend, activation, result, draw }) {
			const dropout = { seed: 2 ** 35 + length, stream: 0xdeadbeef, probability: 0.3 };
			backend.dropout(result('y', [length]), activation([length]), dropout);
			const inPlace = result('in place', [length], draw.normal(length));
			backend.dropout(inPlace, inPlace, { ...dropout, probability: 0.9 });
		},
	},
	{
		name: `sumOfSquares ${length}`,
		kernels: ['sumOfSquares'],
		tolerance: 1e-12,
		run({ backend, normal, record }) {
			record('sum', [backend.sumOfSquares(normal([length]))]);
		},
	},
	{
		name: `adamW ${length}`,
		kernels: ['adamW'],
		tolerance,
		run({ backend, output, normal, draw }) {
			for (const step of [1, 1000]) {
				backend.adamW(
					output(`parameters at ${step}`, [length], draw.normal(length)),
					normal([length]),
					output(`first moment at ${step}`, [length], draw.normal(length, 0.1)),
					output(`second moment at ${step}`, [length], draw.normal(length).map(Math.abs)),
					{ ...adamWOptions, step },
				);
			}
		},
	},
	{
		// from nothing, by halves, moments are exact, and so are their codes
		name: `adamW8bit ${length}, its codes`,
		kernels: ['adamW8bit'],
		tolerance: 0,
		run({ backend, normal, input, output, draw }) {
			const gradients = Float32Array.from(draw.normal(length), (value) => Math.round(value * 64) / 64);
			// a block of zeros
			gradients.fill(0, MOMENTS_PER_BLOCK, 2 * MOMENTS_PER_BLOCK);
			const moment = (name: string, codebook: Float32Array) => ({
				codes: output(`codes of the ${name}`, [length], new Uint8Array(length).fill(codebook.indexOf(0))),
				absmax: output(`scales of the ${name}`, [Math.ceil(length / MOMENTS_PER_BLOCK)], zeros(length)),
				codebook: input([codebook.length], codebook),
			});
			backend.adamW8bit(
				normal([length]),
				input([length], gradients),
				moment('first moment', signedCodebook),
				moment('second moment', unsignedCodebook),
				{ ...adamWOptions, beta1: 0.5, beta2: 0.5, gradientScale: 0.5, step: 1 },
			);
		},
	},
	{
		name: `adamW8bit ${length}`,
		kernels: ['adamW8bit'],
		tolerance,
		run({ backend, output, normal, input, draw }) {
			for (const step of [1, 1000]) {
				const moment = (name: string, codebook: Float32Array) => ({
					codes: input([length], Uint8Array.from(draw.integers(length, 256))),
					absmax: output(
						`scales of the ${name} at ${step}`,
						[Math.ceil(length / MOMENTS_PER_BLOCK)],
						draw.normal(Math.ceil(length / MOMENTS_PER_BLOCK)).map(Math.abs),
					),
					codebook: input([codebook.length], codebook),
				});
				backend.adamW8bit(
					output(`parameters at ${step}`, [length], draw.normal(length)),
					normal([length]),
					moment('first moment', signedCodebook),
					moment('second moment', unsignedCodebook),
					{ ...adamWOptions, step },
				);
			}
		},
	},
];

/** Some values in ascending order, dense around 0. */
const signedCodebook = Float32Array.from({ length: 256 }, (_, code) => ((code - 127) / 128) ** 3);
const unsignedCodebook = Float32Array.from({ length: 256 }, (_, code) => (code / 255) ** 2);

/** Scales of blocks that hold nothing yet. */
function zeros(length: number): Float32Array {
	return new Float32Array(Math.ceil(length / MOMENTS_PER_BLOCK));
}

/** What treats the rows of a matrix alike. */
export const biasCasesOf = ([rows, columns]: readonly [number, number]): readonly AgreementCase[] => [
	{
		name: `addBias, biasBackward [${rows}, ${columns}]`,
		kernels: ['addBias', 'biasBackward'],
		tolerance,
		run({ backend, output, normal, activation, result, draw }) {
			const [shape, bias] = [[rows, columns], normal([columns])];
			backend.addBias(result('y', shape), activation(shape), bias);
			const inPlace = result('in place', shape, draw.normal(rows * columns));
			backend.addBias(inPlace, inPlace, bias);
			backend.biasBackward({ view: output('dBias', [columns]), accumulate: false }, activation(shape));
			const added = output('dBias added', [columns], draw.normal(columns));
			backend.biasBackward({ view: added, accumulate: true }, activation(shape));
		},
	},
	{
		name: `scaleRows [${rows}, ${columns}]`,
		kernels: ['scaleRows'],
		tolerance,
		run({ backend, output, normal, draw }) {
			backend.scaleRows(output('x', [rows, columns], draw.normal(rows * columns)), normal([rows]));
		},
	},
];

/** Halves between two neighbours, the smallest numbers, and what becomes infinite in half precision. */
const awkward = [
	0,
	-0,
	1,
	1 + 2 ** -8,
	1 + 3 * 2 ** -8,
	1 + 2 ** -11,
	1 + 3 * 2 ** -11,
	-65_504,
	65_519,
	65_520,
]
	.concat([1e30, 2 ** -14, 2 ** -24, 2 ** -25, 3 * 2 ** -25, 1e-40, -1e-6])
	.map(Math.fround);

const copies: readonly AgreementCase[] = (['f32', 'bf16', 'f16', 'i32'] as const).map((dtype) => ({
	name: `copy ${dtype}`,
	kernels: ['copy'],
	tolerance: 0,
	run({ backend, output, input, draw }) {
		if (dtype === 'i32') {
			backend.copy(output('copy', [9], undefined, 'i32'), input([9], draw.integers(9, 1000)));
			return;
		}
		const values = Float32Array.of(...awkward, ...draw.normal(1001, 10));
		const shape = [values.length];
		const narrow = output('narrow', shape, undefined, dtype);
		backend.copy(narrow, input(shape, values));
		backend.copy(output('copy', shape, undefined, dtype), narrow);
		const finite = { ...viewOf(narrow.buffer, [1001], narrow.offset + awkward.length), dtype };
		backend.copy(output('wide', [1001]), finite);
	},
}));

export const elementwiseCases: readonly AgreementCase[] = [
	...lengths.flatMap(elementwiseCasesOf),
	...matrices.flatMap(biasCasesOf),
	...copies,
];
