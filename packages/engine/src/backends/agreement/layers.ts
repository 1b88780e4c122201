import type { Activation, AttentionOptions, FloatPrecision, View } from '../contract.ts';
import { columnsOf, elements, viewOf } from '../view.ts';
import {
	type AgreementCase,
	bf16Tolerance,
	inPrecision,
	fp32Tolerance as tolerance,
	type Workbench,
} from './workbench.ts';

/** [T, H]; at least three elements, since what is left of one or two after normalising them is rounding alone. */
const shapes = [
	[1, 3],
	[1, 5],
	[3, 64],
	[2, 1000],
	[33, 17],
	[130, 576],
] as const;

/** Two destinations of a gradient, one to write over and one to add to. */
function destinations(
	{ draw }: Workbench,
	output: Workbench['output'] | Workbench['result'],
	name: string,
	shape: readonly number[],
	length: number,
) {
	return [
		{ view: output(name, shape), accumulate: false },
		{ view: output(`${name} added`, shape, draw.normal(length)), accumulate: true },
	] as const;
}

export const normCasesOf = ([t, h]: readonly [number, number]): readonly AgreementCase[] => [
	{
		name: `rmsNorm [${t}, ${h}]`,
		kernels: ['rmsNorm', 'rmsNormBackward'],
		tolerance,
		run(bench) {
			const { backend, output, normal, activation, result } = bench;
			const [x, weight, dy] = [activation([t, h], 3), normal([h]), activation([t, h])];
			const rstd = output('rstd', [t]);
			backend.rmsNorm(result('y', [t, h]), rstd, x, weight, 1e-5);
			const [dx, dxAdded] = destinations(bench, result, 'dx', [t, h], t * h);
			const [dWeight, dWeightAdded] = destinations(bench, output, 'dWeight', [h], h);
			const saved = { x, rstd, weight };
			backend.rmsNormBackward({ dx, dWeight: dWeightAdded }, saved, dy);
			backend.rmsNormBackward({ dx: dxAdded, dWeight: undefined }, saved, dy);
			backend.rmsNormBackward({ dx: undefined, dWeight }, saved, dy);
		},
	},
	{
		name: `layerNorm [${t}, ${h}]`,
		kernels: ['layerNorm', 'layerNormBackward'],
		tolerance,
		run(bench) {
			const { backend, output, normal, activation, result } = bench;
			const [x, dy] = [activation([t, h], 3), activation([t, h])];
			const [weight, bias] = [normal([h]), normal([h])];
			const [mean, rstd] = [output('mean', [t]), output('rstd', [t])];
			backend.layerNorm(result('y', [t, h]), mean, rstd, x, weight, bias, 1e-5);
			backend.layerNorm(result('y without bias', [t, h]), mean, rstd, x, weight, undefined, 1e-5);
			const [dx, dxAdded] = destinations(bench, result, 'dx', [t, h], t * h);
			const [dWeight, dWeightAdded] = destinations(bench, output, 'dWeight', [h], h);
			const [dBias, dBiasAdded] = destinations(bench, output, 'dBias', [h], h);
			const saved = { x, mean, rstd, weight };
			backend.layerNormBackward({ dx, dWeight: dWeightAdded, dBias }, saved, dy);
			backend.layerNormBackward({ dx: dxAdded, dWeight: undefined, dBias: undefined }, saved, dy);
			backend.layerNormBackward({ dx: undefined, dWeight, dBias: dBiasAdded }, saved, dy);
		},
	},
];

/** [T, heads, head dimension] */
const ropeShapes = [
	[1, 1, 2],
	[3, 2, 8],
	[5, 3, 10],
	[1, 9, 24],
	[70, 9, 64],
	[4, 1, 80],
	[6, 5, 128],
] as const;
/** The same, and how many elements of a head are turned. */
const partialRopeShapes = [
	[5, 3, 10, 2],
	[4, 2, 80, 20],
	[7, 5, 128, 96],
] as const;
export const ropeCaseOf = ([tokens, heads, headDim, turned = headDim]: readonly [
	tokens: number,
	heads: number,
	headDim: number,
	turned?: number,
]): AgreementCase => ({
	name: `rope [${tokens}, ${heads} × ${headDim}]${turned === headDim ? '' : `, ${turned} turned`}`,
	kernels: ['rope'],
	tolerance,
	run({ backend, activation, result, draw, input }) {
		const half = turned / 2;
		const angles = draw.normal(tokens * half, 3);
		const [cos, sin] = [Math.cos, Math.sin].map((f) => input([tokens, half], angles.map(f)));
		const shape = [tokens, heads * headDim];
		backend.rope(result('y', shape), activation(shape), cos!, sin!, headDim, false);
		const inPlace = result('in place', shape, draw.normal(tokens * heads * headDim));
		backend.rope(inPlace, inPlace, cos!, sin!, headDim, true);
	},
});

/** Query heads, key/value heads, head dimension. */
const headLayouts = [
	[1, 1, 8],
	[3, 3, 10],
	[4, 2, 24],
	[6, 2, 64],
	[5, 1, 80],
	[2, 1, 128],
	[2, 1, 200],
] as const;
const segmentLengths = [[1], [7], [1, 1, 1, 1, 1], [3, 1, 17, 2], [65], [16, 16, 32], [131, 5]];
/** Lengths of segments, and which of them is each one's parent. */
const families: readonly (readonly [lengths: readonly number[], parents: readonly number[]])[] = [
	[
		[1, 1, 1],
		[-1, 0, 0],
	],
	[
		[1, 70, 3],
		[-1, 0, 0],
	],
	[
		[64, 1, 16],
		[-1, 0, 0],
	],
	[
		[65, 1, 40, 0, 1, 17],
		[-1, 0, 0, 0, 0, 0],
	],
	[
		[30, 5, 9, 7, 12, 20, 3],
		[-1, 0, 0, -1, -1, 4, 4],
	],
	[
		[66, 65, 1, 20, 3, 2, 2, 1],
		[-1, 0, 0, 0, -1, 4, 4, -1],
	],
	[
		Array.from({ length: 24 }, (_, s) => 3 - (s % 3)),
		Array.from({ length: 24 }, (_, s) => (s % 3 === 0 ? -1 : s - (s % 3))),
	],
];

/**
 * A token alone in its segment has no gradient in q and k but for rounding: then the three are compared as one
 * tensor, by the norm of dv.
 */
function attentionGradients(
	output: Workbench['result'],
	wide: readonly number[],
	narrow: readonly number[],
	apart: boolean,
) {
	if (apart) return { dq: output('dq', wide), dk: output('dk', narrow), dv: output('dv', narrow) };
	const [q, kv] = [elements(wide), elements(narrow)];
	const all = output('dq, dk, dv', [q + 2 * kv]);
	return {
		dq: viewOf(all.buffer, wide, all.offset),
		dk: viewOf(all.buffer, narrow, all.offset + q),
		dv: viewOf(all.buffer, narrow, all.offset + q + kv),
	};
}

/** What a case of attention is about besides its heads. */
export interface Arrangement {
	readonly lengths: readonly number[];
	readonly parents?: readonly number[];
	readonly causal: boolean;
	readonly window?: number;
}

const arrangements: readonly Arrangement[] = [
	...segmentLengths.flatMap((lengths, i) =>
		(i % 2 === 0 ? [true] : [true, false]).map((causal) => ({ lengths, causal })),
	),
	...families.map(([lengths, parents]) => ({ lengths, parents, causal: true })),
];

/** Windows narrower and wider than tiles of queries and keys, than functions and than what they share. */
const windowed: readonly Arrangement[] = [
	...[1, 40, 70, 400].map((window) => ({ lengths: [131, 3, 65], causal: true, window })),
	...[1, 9, 66, 400].map((window) => ({ lengths: [131, 3, 65], causal: false, window })),
	...[1, 40, 70, 133].map((window) => ({
		...{ lengths: [66, 65, 1, 0, 20, 30, 22], parents: [-1, 0, 0, 0, -1, 4, 4], causal: true },
		window,
	})),
];
const windowedHeads = [
	[3, 3, 10],
	[6, 2, 64],
	[5, 1, 80],
] as const;

export function attentionCaseOf(
	[heads, keyValueHeads, headDim]: readonly [number, number, number],
	{ lengths, parents, causal, window }: Arrangement,
	precision: FloatPrecision = 'fp32',
): AgreementCase {
	const under = parents === undefined ? '' : ` under ${parents.join(' ')}`;
	const direction = `${causal ? 'causal' : 'both ways'}${window === undefined ? '' : ` in a window of ${window}`}`;
	return {
		name: `attention ${precision === 'fp32' ? '' : 'bf16 '}${heads}/${keyValueHeads} × ${headDim} ${direction}, segments ${lengths.join(' ')}${under}`,
		kernels: ['attention', 'attentionBackward'],
		tolerance: precision === 'fp32' ? tolerance : bf16Tolerance,
		...inPrecision(precision, ({ backend, output, activation, result, segments: segmentsOf }, used) => {
			const starts = [0];
			for (const length of lengths) starts.push(starts.at(-1)! + length);
			const tokens = starts.at(-1)!;
			const segments = segmentsOf(starts, parents);
			const shape: AttentionOptions = {
				heads,
				keyValueHeads,
				headDim,
				causal,
				window,
				scale: 1 / Math.sqrt(headDim),
				precision: used,
			};
			const [wide, narrow] = [
				[tokens, heads * headDim],
				[tokens, keyValueHeads * headDim],
			];
			const [q, k, v] = [activation(wide!, 2), activation(narrow!), activation(narrow!)];
			const [out, logSumExp] = [result('out', wide!), output('logSumExp', [tokens, heads])];
			backend.attention(out, logSumExp, q, k, v, segments, shape);
			backend.attentionBackward(
				attentionGradients(
					result,
					wide!,
					narrow!,
					window !== 1 && (parents !== undefined || Math.max(...lengths) > 1),
				),
				{ q, k, v, out, logSumExp, segments },
				activation(wide!),
				shape,
			);
		}),
	};
}

/** q, k and v as columns of one matrix, and their gradients likewise. */
const fusedAttentions: readonly AgreementCase[] = (
	[
		[4, 1, 24, true, 'fp32'],
		[3, 3, 16, false, 'fp32'],
		[2, 1, 10, true, 'fp32'],
		[6, 2, 20, true, 'bf16'],
	] as const
).map(
	([heads, keyValueHeads, headDim, causal, precision]): AgreementCase => ({
		name: `attention ${heads}/${keyValueHeads} × ${headDim} of one matrix`,
		kernels: ['attention', 'attentionBackward'],
		tolerance: precision === 'fp32' ? tolerance : bf16Tolerance,
		...inPrecision(precision, ({ backend, output, activation, result, segments: segmentsOf }, used) => {
			const tokens = 75;
			const segments = segmentsOf([0, 40, tokens]);
			const shape: AttentionOptions = { heads, keyValueHeads, headDim, causal, scale: 0.3, precision: used };
			const bounds = [0, heads, heads + keyValueHeads, heads + 2 * keyValueHeads].map((end) => end * headDim);
			const split = (whole: View) =>
				bounds.slice(1).map((end, part) => columnsOf(whole, bounds[part]!, end)) as [View, View, View];
			const [q, k, v] = split(activation([tokens, bounds[3]!]));
			const [dq, dk, dv] = split(result('dqkv', [tokens, bounds[3]!]));
			const out = result('out', [tokens, bounds[1]!]);
			const logSumExp = output('logSumExp', [tokens, heads]);
			backend.attention(out, logSumExp, q, k, v, segments, shape);
			const saved = { q, k, v, out, logSumExp, segments };
			backend.attentionBackward({ dq, dk, dv }, saved, activation([tokens, bounds[1]!]), shape);
		}),
	}),
);

const kinds: readonly Activation[] = ['gelu', 'geluTanh', 'tanh', 'silu'];
export const activationCasesOf = (length: number): readonly AgreementCase[] => [
	...kinds.map(
		(kind): AgreementCase => ({
			name: `${kind} ${length}`,
			kernels: ['activation', 'activationBackward'],
			tolerance,
			run(bench) {
				const { backend, activation, result } = bench;
				const [x, dy] = [activation([length], 3), activation([length])];
				backend.activation(kind, result('y', [length]), x);
				for (const dx of destinations(bench, result, 'dx', [length], length)) {
					backend.activationBackward(kind, dx, dy, x);
				}
			},
		}),
	),
	{
		name: `swiglu ${length}`,
		kernels: ['swiglu', 'swigluBackward'],
		tolerance,
		run({ backend, activation, result, draw }) {
			const [gate, up, dy] = [activation([length], 3), activation([length]), activation([length])];
			backend.swiglu(result('y', [length]), gate, up);
			backend.swigluBackward(result('dGate', [length]), result('dUp', [length]), dy, gate, up);
			const [gateInPlace, upInPlace] = [
				result('dGate in place', [length], draw.normal(length)),
				result('dUp in place', [length], draw.normal(length)),
			];
			backend.swigluBackward(gateInPlace, upInPlace, dy, gateInPlace, upInPlace);
		},
	},
];

const saturated: readonly AgreementCase[] = kinds.map((kind) => ({
	name: `${kind} far out`,
	kernels: ['activation', 'activationBackward'],
	tolerance,
	run({ backend, activationOf, result }) {
		const x = activationOf([7], Float32Array.of(0, 12, -12, 90, -90, 1e4, -1e4));
		const dx = { view: result('dx', [7]), accumulate: false };
		backend.activation(kind, result('y', [7]), x);
		backend.activationBackward(kind, dx, activationOf([7], new Float32Array(7).fill(1)), x);
	},
}));

export const layerCases: readonly AgreementCase[] = [
	...shapes.flatMap(normCasesOf),
	...[...ropeShapes, ...partialRopeShapes].map(ropeCaseOf),
	...headLayouts.flatMap((layout) => arrangements.map((one) => attentionCaseOf(layout, one))),
	...windowedHeads.flatMap((layout) => windowed.map((one) => attentionCaseOf(layout, one))),
	...arrangements.map((one) => attentionCaseOf([6, 2, 64], one, 'bf16')),
	...headLayouts.map((layout) => attentionCaseOf(layout, { lengths: [131, 5], causal: true }, 'bf16')),
	...windowed.map((one) => attentionCaseOf([5, 1, 80], one, 'bf16')),
	...fusedAttentions,
	...[1, 15, 64, 1001, 33_001].flatMap(activationCasesOf),
	...saturated,
];
