import type { Backend, View, Weight } from '../contract.ts';
import { isQuantized } from '../contract.ts';
import { rowsOf, viewOf } from '../view.ts';
import type { CpuDevice } from './device.ts';
import { kernelsOf } from './native.ts';
import { checkRows } from './rows.ts';

export type CrossEntropyGroup = Pick<Backend, 'linearCrossEntropy' | 'linearCrossEntropyBackward'>;

/** What the loss is made of besides its own kernels. */
export type CrossEntropyParts = Pick<Backend, 'allocate' | 'free' | 'matmulNT' | 'matmulNN' | 'matmulTN'>;

interface CrossEntropyKernels {
	crossEntropyChunk(
		engine: number,
		largestLogit: number,
		sums: number,
		targetLogit: number,
		logits: number,
		targets: number,
		rows: number,
		firstColumn: number,
		columns: number,
	): void;
	crossEntropyEnd(
		engine: number,
		largestLogit: number,
		sums: number,
		targetLogit: number,
		targets: number,
		rows: number,
	): void;
	crossEntropyChunkBackward(
		engine: number,
		logits: number,
		logSumExp: number,
		dLosses: number,
		targets: number,
		rows: number,
		firstColumn: number,
		columns: number,
	): void;
}

/** A target that counts for nothing. */
const ignoredTarget = -100;

/** Logits held at a time: few enough to stay in the cache, enough for efficient matrix products. */
const logitsPerChunk = 2 ** 21;

/** Blocks of scales run over the flat matrix in 64s, so that chunks of a multiple of 64 rows begin with a block. */
const columnsGranule = 64;

function columnsPerChunk(rows: number): number {
	return Math.max(8, Math.floor(logitsPerChunk / rows / columnsGranule)) * columnsGranule;
}

/** Rows [from, to) of the matrix; `from` is a multiple of 64. */
function weightRows(weight: Weight, from: number, to: number): Weight {
	if (!isQuantized(weight)) return rowsOf(weight, from, to);
	const columns = weight.shape[1]!;
	const first = from * columns;
	const elementsPerCode = weight.layout === 'table4' ? 2 : 1;
	const firstScale = weight.layout === 'int8' ? from : first / 64;
	return {
		...weight,
		shape: [to - from, columns],
		codes: { ...weight.codes, offset: weight.codes.offset + first / elementsPerCode },
		scales: { ...weight.scales, offset: weight.scales.offset + firstScale },
	};
}

/**
 * Cross-entropy of a linear layer without its logits: they are made chunk by chunk of the vocabulary, and again for
 * the gradient.
 */
export function crossEntropyGroup(device: CpuDevice, parts: CrossEntropyParts): CrossEntropyGroup {
	const kernels = kernelsOf<CrossEntropyKernels>(device.addon);
	const { address } = device;

	/** Calls `visit` with a buffer for the logits of each chunk of the vocabulary, [rows, columns]. */
	function forChunks(
		rows: number,
		weight: Weight,
		visit: (logits: View, chunk: Weight, first: number, columns: number) => void,
	): void {
		const vocabulary = weight.shape[0]!;
		const largestChunk = Math.min(vocabulary, columnsPerChunk(rows));
		const buffer = parts.allocate('f32', rows * largestChunk);
		try {
			for (let first = 0; first < vocabulary; first += largestChunk) {
				const columns = Math.min(largestChunk, vocabulary - first);
				const logits = viewOf(buffer, [rows, columns]); // [R, chunk]
				visit(logits, weightRows(weight, first, first + columns), first, columns);
			}
		} finally {
			parts.free(buffer);
		}
	}

	return {
		linearCrossEntropy(losses, logSumExp, hidden, weight, targets, precision) {
			const rows = hidden.shape[0]!;
			checkRows(device, targets, weight.shape[0]!, ignoredTarget);
			const sums = parts.allocate('f32', rows);
			const state = [address(logSumExp), address(viewOf(sums, [rows])), address(losses)] as const;
			try {
				forChunks(rows, weight, (logits, chunk, first, columns) => {
					parts.matmulNT(logits, hidden, chunk, { precision, accumulate: false, scale: 1 });
					kernels.crossEntropyChunk(
						device.engine,
						...state,
						address(logits),
						address(targets),
						rows,
						first,
						columns,
					);
				});
				kernels.crossEntropyEnd(device.engine, ...state, address(targets), rows);
			} finally {
				parts.free(sums);
			}
		},
		linearCrossEntropyBackward({ dHidden, dWeight }, saved, dLosses, precision) {
			const { hidden, weight, targets, logSumExp } = saved;
			const rows = hidden.shape[0]!;
			forChunks(rows, weight, (logits, chunk, first, columns) => {
				parts.matmulNT(logits, hidden, chunk, { precision, accumulate: false, scale: 1 });
				kernels.crossEntropyChunkBackward(
					device.engine,
					address(logits),
					address(logSumExp),
					address(dLosses),
					address(targets),
					rows,
					first,
					columns,
				);
				if (dHidden !== undefined) {
					const accumulate = dHidden.accumulate || first > 0;
					parts.matmulNN(dHidden.view, logits, chunk, { precision, accumulate, scale: 1 });
				}
				if (dWeight !== undefined) {
					const { accumulate } = dWeight;
					const target = rowsOf(dWeight.view, first, first + columns); // [chunk, H]
					parts.matmulTN(target, logits, hidden, { precision, accumulate, scale: 1 });
				}
			});
		},
	};
}
