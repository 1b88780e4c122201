import type { AttentionShape, Backend, FloatPrecision, Precision } from '../contract.ts';
import { randomWeight, weightKinds } from './weights.ts';
import type { Workbench } from './workbench.ts';

/** A kernel whose rows (tokens, functions) must not depend on what else is in the tensor. */
export interface IndependenceCase {
	readonly name: string;
	readonly kernels: readonly (keyof Backend)[];
	readonly rows: number;
	/** Ranges [from, to) that are computed alone and compared with the same rows of the whole, byte by byte. */
	readonly parts: readonly (readonly [from: number, to: number])[];
	/** Runs the kernel on rows [from, to) of the whole's inputs; the first axis of each output is the rows. */
	readonly run: (bench: Workbench, from: number, to: number) => void;
}

/** Rows [from, to) of a matrix of normal numbers that is drawn whole. */
function someFloats({ draw }: Workbench, rows: number, width: number, from: number, to: number) {
	return draw.normal(rows * width).slice(from * width, to * width);
}

/** The same as activations. */
function someRows(bench: Workbench, rows: number, width: number, from: number, to: number) {
	return bench.activationOf([to - from, width], someFloats(bench, rows, width, from, to));
}

const rows = 37;
const parts = [
	[0, 1],
	[36, 37],
	[5, 8],
	[16, 33],
] as const;
const [n, k] = [70, 130];

const frozen: readonly IndependenceCase[] = (['fp32', 'bf16', 'int8'] as Precision[]).flatMap((precision) =>
	weightKinds.map(
		(kind): IndependenceCase => ({
			name: `matmulNT, matmulNN ${kind} ${precision}`,
			kernels: ['matmulNT', 'matmulNN'],
			rows,
			parts,
			run(bench, from, to) {
				const weight = randomWeight(bench, kind, n, k);
				const options = { precision, accumulate: false, scale: 1 };
				const x = someRows(bench, rows, k, from, to);
				bench.backend.matmulNT(bench.result('y', [to - from, n]), x, weight, options);
				const dy = someRows(bench, rows, n, from, to);
				bench.backend.matmulNN(bench.result('dx', [to - from, k]), dy, weight, options);
			},
		}),
	),
);

const others: readonly IndependenceCase[] = (['fp32', 'bf16'] as FloatPrecision[]).flatMap((precision) => [
	{
		name: `lora ${precision}`,
		kernels: ['loraForward', 'loraBackward'],
		rows,
		parts,
		run(bench, from, to) {
			const { backend, output, result, normal, input } = bench;
			const [count, rank] = [to - from, 8];
			const options = { precision, scale: 2, dropout: undefined };
			const [a, b] = [normal([rank, k]), normal([n, rank])];
			const x = someRows(bench, rows, k, from, to);
			const [y, h] = [result('y', [count, n], new Float32Array(count * n)), output('h', [count, rank])];
			backend.loraForward(y, h, x, a, b, options);
			const over = (shape: readonly number[]) => ({
				view: input(shape, new Float32Array(shape[0]! * shape[1]!)),
				accumulate: false,
			});
			backend.loraBackward(
				{
					dx: { view: result('dx', [count, k]), accumulate: false },
					dA: over([rank, k]),
					dB: over([n, rank]),
				},
				{ x, h, a, b },
				someRows(bench, rows, n, from, to),
				options,
			);
		},
	},
	{
		name: `linearCrossEntropy ${precision}`,
		kernels: ['linearCrossEntropy', 'linearCrossEntropyBackward'],
		rows,
		parts,
		run(bench, from, to) {
			const { backend, output, draw } = bench;
			const [count, vocabulary] = [to - from, 301];
			const weight = randomWeight(bench, 'f32', vocabulary, k);
			const hidden = bench.input([count, k], someFloats(bench, rows, k, from, to));
			const targets = bench.targets(draw.integers(rows, vocabulary).slice(from, to));
			const logSumExp = output('logSumExp', [count]);
			backend.linearCrossEntropy(output('losses', [count]), logSumExp, hidden, weight, targets, precision);
			backend.linearCrossEntropyBackward(
				{ dHidden: { view: output('dHidden', [count, k]), accumulate: false }, dWeight: undefined },
				{ hidden, weight, targets, logSumExp },
				bench.input([count], draw.normal(rows).slice(from, to)),
				precision,
			);
		},
	},
]);

const norms: readonly IndependenceCase[] = [
	{
		name: 'rmsNorm, layerNorm',
		kernels: ['rmsNorm', 'rmsNormBackward', 'layerNorm', 'layerNormBackward'],
		rows,
		parts,
		run(bench, from, to) {
			const { backend, output, result, normal } = bench;
			const shape = [to - from, k];
			const [weight, bias] = [normal([k]), normal([k])];
			const x = someRows(bench, rows, k, from, to);
			const dy = someRows(bench, rows, k, from, to);
			const dx = (name: string) => ({ view: result(name, shape), accumulate: false });
			const rootMean = output('rms rstd', [to - from]);
			backend.rmsNorm(result('rms y', shape), rootMean, x, weight, 1e-5);
			backend.rmsNormBackward({ dx: dx('rms dx'), dWeight: undefined }, { x, rstd: rootMean, weight }, dy);
			const [mean, rstd] = [output('mean', [to - from]), output('rstd', [to - from])];
			backend.layerNorm(result('y', shape), mean, rstd, x, weight, bias, 1e-5);
			backend.layerNormBackward(
				{ dx: dx('dx'), dWeight: undefined, dBias: undefined },
				{ x, mean, rstd, weight },
				dy,
			);
		},
	},
];

/** Segments of one pack: each must come out as if it were alone. */
const starts = [0, 1, 2, 19, 24, 90, 91, 160];

const attentions: readonly IndependenceCase[] = [
	{ heads: 9, keyValueHeads: 3, headDim: 64, causal: true },
	{ heads: 4, keyValueHeads: 1, headDim: 24, causal: false },
	{ heads: 2, keyValueHeads: 2, headDim: 10, causal: true },
	{ heads: 4, keyValueHeads: 2, headDim: 24, causal: true, window: 7 },
	{ heads: 2, keyValueHeads: 2, headDim: 10, causal: false, window: 20 },
].flatMap((layout) => [attentionOf(layout, 'fp32'), attentionOf(layout, 'bf16')]);

function attentionOf(layout: Omit<AttentionShape, 'scale'>, precision: FloatPrecision): IndependenceCase {
	const { heads, keyValueHeads, headDim, causal, window } = layout;
	const among = window === undefined ? '' : ` in a window of ${window}`;
	return {
		name: `attention ${precision} ${heads}/${keyValueHeads} × ${headDim} ${causal ? 'causal' : 'both ways'}${among}`,
		kernels: ['attention', 'attentionBackward'],
		rows: starts.at(-1)!,
		parts: starts.slice(1).map((end, s) => [starts[s]!, end] as const),
		run(bench, from, to) {
			const { backend, output, result } = bench;
			const inside = starts.filter((start) => start >= from && start <= to);
			const shape = { ...layout, scale: 1 / Math.sqrt(headDim), precision };
			const [wide, narrow] = [heads * headDim, keyValueHeads * headDim];
			const total = starts.at(-1)!;
			const [q, k, v, dOut] = [wide, narrow, narrow, wide].map((width) =>
				someRows(bench, total, width, from, to),
			);
			const bounds = inside.map((start) => start - from);
			const segments = bench.segments(bounds);
			const count = to - from;
			const [out, logSumExp] = [result('out', [count, wide]), output('logSumExp', [count, heads])];
			backend.attention(out, logSumExp, q!, k!, v!, segments, shape);
			backend.attentionBackward(
				{
					dq: result('dq', [count, wide]),
					dk: result('dk', [count, narrow]),
					dv: result('dv', [count, narrow]),
				},
				{ q: q!, k: k!, v: v!, out, logSumExp, segments },
				dOut!,
				shape,
			);
		},
	};
}

const elementwise: readonly IndependenceCase[] = [
	{
		name: 'activation, swiglu, focalLoss',
		kernels: ['activation', 'swiglu', 'focalLoss'],
		rows,
		parts,
		run(bench, from, to) {
			const { backend, output, result, input, draw, indices } = bench;
			const shape = [to - from, k];
			const [x, up] = [someRows(bench, rows, k, from, to), someRows(bench, rows, k, from, to)];
			backend.activation('gelu', result('gelu', shape), x);
			backend.activation('silu', result('silu', shape), x);
			backend.swiglu(result('swiglu', shape), x, up);
			const classes = 3;
			const logits = input([to - from, classes], someFloats(bench, rows, classes, from, to));
			backend.focalLoss(
				{
					losses: output('losses', [to - from]),
					probabilities: output('probabilities', [to - from, classes]),
					dLogits: output('dLogits', [to - from, classes]),
				},
				logits,
				indices(draw.integers(rows, classes).slice(from, to)),
				input([to - from], draw.normal(rows).map(Math.abs).slice(from, to)),
				{ gamma: 2, gradient: 'full' },
			);
		},
	},
];

export const independenceCases: readonly IndependenceCase[] = [
	...frozen,
	...others,
	...norms,
	...attentions,
	...elementwise,
];
