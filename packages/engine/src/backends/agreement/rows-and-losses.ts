import type { FloatPrecision, FocalOptions } from '../contract.ts';
import { randomWeight, type WeightKind } from './weights.ts';
import {
	type AgreementCase,
	bf16Tolerance,
	fp32Tolerance,
	inPrecision,
	type Workbench,
} from './workbench.ts';

const tolerance = fp32Tolerance;

/** Rows of a table, how many are taken, H. */
const gathers = [
	[1, 1, 1],
	[3, 7, 5],
	[50, 130, 64],
	[9, 1, 577],
] as const;

type Gather = readonly [tableRows: number, taken: number, h: number];

export const rowCasesOf = ([tableRows, taken, h]: Gather): readonly AgreementCase[] => [
	...(['f32', 'bf16', 'f16'] as const).map(
		(kind): AgreementCase => ({
			name: `gatherRows ${kind} ${taken} of [${tableRows}, ${h}]`,
			kernels: ['gatherRows'],
			tolerance: 0,
			run(bench) {
				const table = randomWeight(bench, kind, tableRows, h);
				if ('layout' in table) throw new TypeError('a table is dense');
				const ids = bench.indices(bench.draw.integers(taken, tableRows));
				bench.backend.gatherRows(bench.result('y', [taken, h]), table, ids);
			},
		}),
	),
	{
		name: `scatterAddRows ${taken} to [${tableRows}, ${h}]`,
		kernels: ['scatterAddRows'],
		tolerance,
		run({ backend, output, result, activation, indices, draw }) {
			const added = activation([taken, h]);
			const rows = indices(draw.integers(taken, tableRows));
			const start = () => draw.normal(tableRows * h);
			backend.scatterAddRows(result('table', [tableRows, h], start()), added, rows);
			backend.scatterAddRows(output('parameters', [tableRows, h], start()), added, rows);
		},
	},
];

/** Lengths of functions with a token between them, and H. */
const pools = [
	[[1], 1],
	[[1, 1, 1], 7],
	[[5, 1, 70], 33],
	[[200], 576],
] as const;

export const poolingCasesOf = (lengths: readonly number[], h: number): readonly AgreementCase[] =>
	(['mean', 'max'] as const).map(
		(kind): AgreementCase => ({
			name: `poolRows ${kind} ${lengths.join(' ')} × ${h}`,
			kernels: ['poolRows', 'poolRowsBackward'],
			tolerance,
			run({ backend, output, input, normal, draw, ranges: rangesOf }) {
				const bounds: number[] = [];
				let tokens = 1;
				for (const length of lengths) {
					bounds.push(tokens, tokens + length);
					tokens += length + 1;
				}
				const functions = lengths.length;
				// Few different values, so that maxima tie.
				const x = input([tokens, h], Float32Array.from(draw.integers(tokens * h, 5)));
				const ranges = rangesOf([functions, 2], bounds);
				const argmax = kind === 'max' ? output('argmax', [functions, h], undefined, 'i32') : undefined;
				backend.poolRows(kind, output('y', [functions, h]), argmax, x, ranges);
				const dx = output('dx', [tokens, h], draw.normal(tokens * h));
				backend.poolRowsBackward(kind, dx, normal([functions, h]), argmax, ranges);
			},
		}),
	);

/** [R, H, V]; at least two classes, since of one the gradient is 0 and what is left of it is rounding alone. */
const vocabularies = [
	[1, 8, 2],
	[1, 64, 1000],
	[5, 33, 517],
	[70, 48, 300],
	[33, 130, 65],
] as const;

/** Functions that have rows in common, in three ranges each: [F, 6] bounds, and H. */
const commonRows = [
	[
		[
			[0, 1, 1, 1, 1, 2],
			[0, 1, 2, 3, 5, 5],
		],
		5,
	],
	[
		[
			[0, 70, 70, 90, 90, 90],
			[0, 70, 95, 95, 95, 131],
			[0, 70, 80, 95, 0, 3],
			[131, 132, 0, 0, 0, 0],
		],
		130,
	],
] as const;

const commonPooling: readonly AgreementCase[] = commonRows.flatMap(([ranges, h]) =>
	(['mean', 'max'] as const).map(
		(kind): AgreementCase => ({
			name: `poolRows ${kind} of common rows × ${h}`,
			kernels: ['poolRows', 'poolRowsBackward'],
			tolerance,
			run({ backend, output, input, normal, draw, ranges: rangesOf }) {
				const functions = ranges.length;
				const tokens = Math.max(...ranges.flat());
				const x = input([tokens, h], Float32Array.from(draw.integers(tokens * h, 5)));
				const bounds = rangesOf([functions, 6], ranges.flat());
				const argmax = kind === 'max' ? output('argmax', [functions, h], undefined, 'i32') : undefined;
				backend.poolRows(kind, output('y', [functions, h]), argmax, x, bounds);
				const dx = output('dx', [tokens, h], draw.normal(tokens * h));
				backend.poolRowsBackward(kind, dx, normal([functions, h]), argmax, bounds);
			},
		}),
	),
);

type Vocabulary = readonly [rows: number, width: number, vocabulary: number];

export const crossEntropyCaseOf = (
	kind: WeightKind,
	precision: FloatPrecision,
	size: Vocabulary,
): AgreementCase => ({
	name: `linearCrossEntropy ${kind} ${precision} [${size.join(', ')}]`,
	kernels: ['linearCrossEntropy', 'linearCrossEntropyBackward'],
	tolerance: precision === 'fp32' ? fp32Tolerance : bf16Tolerance,
	...inPrecision(precision, (bench, used) => forwardAndBackward(bench, kind, size, used)),
});

const linearCrossEntropies: readonly AgreementCase[] = (['fp32', 'bf16'] as const).flatMap((precision) =>
	(['f32', 'bf16', 'table4'] as const).flatMap((kind) =>
		vocabularies.map((size) => crossEntropyCaseOf(kind, precision, size)),
	),
);

function forwardAndBackward(
	bench: Workbench,
	kind: WeightKind,
	[r, h, v]: readonly [number, number, number],
	precision: FloatPrecision,
): void {
	const { backend, output, normal, draw, record, input } = bench;
	const hidden = normal([r, h], 0.3);
	const weight = randomWeight(bench, kind, v, h);
	const ids = draw.integers(r, v).map((id, i) => (i % 5 === 3 ? -100 : id));
	const targets = bench.targets(ids);
	const logSumExp = input([r], new Float32Array(r).fill(Number.NaN));
	backend.linearCrossEntropy(output('losses', [r]), logSumExp, hidden, weight, targets, precision);
	const saved = backend.download(logSumExp);
	record(
		'logSumExp',
		saved.map((value, i) => (ids[i] === -100 ? 0 : value)),
	);
	backward(bench, { hidden, weight, targets, logSumExp }, [r, h, v], kind === 'f32', precision);
}

function backward(
	{ backend, output, normal, draw }: Workbench,
	saved: Parameters<Workbench['backend']['linearCrossEntropyBackward']>[1],
	[r, h, v]: readonly [number, number, number],
	trainable: boolean,
	precision: FloatPrecision,
): void {
	const dLosses = normal([r]);
	const dHidden = { view: output('dHidden', [r, h]), accumulate: false };
	const dWeight = trainable ? { view: output('dWeight', [v, h]), accumulate: false } : undefined;
	backend.linearCrossEntropyBackward({ dHidden, dWeight }, saved, dLosses, precision);
	const dHiddenAdded = { view: output('dHidden added', [r, h], draw.normal(r * h)), accumulate: true };
	backend.linearCrossEntropyBackward(
		{ dHidden: dHiddenAdded, dWeight: undefined },
		saved,
		dLosses,
		precision,
	);
	if (!trainable) return;
	const dWeightAdded = { view: output('dWeight added', [v, h], draw.normal(v * h)), accumulate: true };
	backend.linearCrossEntropyBackward(
		{ dHidden: undefined, dWeight: dWeightAdded },
		saved,
		dLosses,
		precision,
	);
}

const focalOptions: readonly FocalOptions[] = [0, 0.5, 1, 2, 5].flatMap((gamma) => [
	{ gamma, gradient: 'full' },
	{ gamma, gradient: 'detached' },
]);

/** What is added to the logit of the label: random, well classified, badly classified, hopeless. */
const leads = [0, 25, -25, -1e4, 1e4];

const focal: readonly AgreementCase[] = focalOptions.flatMap((options) =>
	leads.flatMap((lead) =>
		[
			[1, 2],
			[9, 3],
			[33, 17],
		].map(([functions, classes]): AgreementCase => {
			const [f, c] = [functions!, classes!];
			return {
				name: `focalLoss γ ${options.gamma} ${options.gradient}, label ahead by ${lead}, [${f}, ${c}]`,
				kernels: ['focalLoss'],
				tolerance,
				run({ backend, output, input, indices, draw }) {
					const labels = draw.integers(f, c);
					const logits = draw.normal(f * c, 2);
					for (let i = 0; i < f; i++) logits[i * c + labels[i]!]! += lead;
					backend.focalLoss(
						{
							losses: output('losses', [f]),
							probabilities: output('probabilities', [f, c]),
							dLogits: output('dLogits', [f, c]),
						},
						input([f, c], logits),
						indices(labels),
						input([f], draw.normal(f).map(Math.abs)),
						options,
					);
				},
			};
		}),
	),
);

const focalOfNegLogP: readonly AgreementCase[] = focalOptions.map((options) => ({
	name: `focalOfNegLogP γ ${options.gamma} ${options.gradient}`,
	kernels: ['focalOfNegLogP'],
	tolerance,
	run({ backend, output, input, draw }) {
		for (const scale of [1e-6, 1, 100]) {
			const values = draw.normal(65, scale).map(Math.abs);
			values[0] = 0;
			values[1] = -1e-8;
			backend.focalOfNegLogP(
				{ losses: output(`losses × ${scale}`, [65]), derivative: output(`derivative × ${scale}`, [65]) },
				input([65], values),
				input([65], draw.normal(65).map(Math.abs)),
				options,
			);
		}
	},
}));

export const rowAndLossCases: readonly AgreementCase[] = [
	...gathers.flatMap(rowCasesOf),
	...pools.flatMap(([lengths, h]) => poolingCasesOf(lengths, h)),
	...commonPooling,
	...linearCrossEntropies,
	...focal,
	...focalOfNegLogP,
];
