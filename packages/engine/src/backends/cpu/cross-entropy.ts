import type { Backend, View, Weight } from '../contract.ts';
import { floatScales, isQuantized } from '../contract.ts';
import { elements, reshape, rowsOf, viewOf } from '../view.ts';
import type { CpuDevice } from './device.ts';

export type CrossEntropyGroup = Pick<Backend, 'linearCrossEntropy' | 'linearCrossEntropyBackward'>;

/** What the loss is made of besides its own kernels. */
export type CrossEntropyParts = Pick<Backend, 'allocate' | 'free' | 'matmulNT' | 'matmulNN' | 'matmulTN'>;

/**
 * Logits are held for this many rows and classes at a time: 8 MiB. Both are fixed, so that a row's loss doesn't depend
 * on how many other rows there are; blocks of scales run over the flat matrix in 64s, so that chunks of a multiple of
 * 64 classes begin with a block.
 */
const rowsPerChunk = 1024;
const classesPerChunk = 2048;

/** Rows [from, to) of the matrix; `from` is a multiple of 64. */
function weightRows(weight: Weight, from: number, to: number): Weight {
	if (!isQuantized(weight)) return rowsOf(weight, from, to);
	const columns = weight.shape[1]!;
	// What is stored of the rows, where one stored number stands for `count` elements of the matrix.
	const part = (view: View, count: number): View =>
		rowsOf(view, (from * columns) / count, Math.ceil((to * columns) / count));
	const codes = reshape(weight.codes, [elements(weight.codes.shape)]);
	return {
		...weight,
		shape: [to - from, columns],
		codes: part(codes, weight.layout === 'table4' ? 2 : 1),
		scales: part(floatScales(weight), weight.layout === 'int8' ? columns : 64),
	};
}

interface Chunk {
	/** [rows, classes] of the chunk, in a buffer that all chunks share. */
	readonly logits: View;
	/** [classes, H] */
	readonly weight: Weight;
	readonly firstRow: number;
	readonly firstClass: number;
	readonly endClass: number;
	/** The chunk's rows of a tensor over all rows. */
	readonly rowsOf: (view: View) => View;
}

/**
 * Cross-entropy of a linear layer without its logits: they are made chunk by chunk of the vocabulary, and again for
 * the gradient.
 */
export function crossEntropyGroup(device: CpuDevice, parts: CrossEntropyParts): CrossEntropyGroup {
	const { address, kernels } = device;

	/** Calls `visit` for each chunk of rows and classes with a buffer for its logits; classes go by fastest. */
	function forChunks(rows: number, weight: Weight, visit: (chunk: Chunk) => void): void {
		const vocabulary = weight.shape[0]!;
		const length = Math.min(rows, rowsPerChunk) * Math.min(vocabulary, classesPerChunk);
		const buffer = parts.allocate('f32', length);
		try {
			for (let firstRow = 0; firstRow < rows; firstRow += rowsPerChunk) {
				const endRow = Math.min(rows, firstRow + rowsPerChunk);
				for (let first = 0; first < vocabulary; first += classesPerChunk) {
					const end = Math.min(vocabulary, first + classesPerChunk);
					visit({
						logits: viewOf(buffer, [endRow - firstRow, end - first]),
						weight: weightRows(weight, first, end),
						firstClass: first,
						endClass: end,
						rowsOf: (view) => rowsOf(view, firstRow, endRow),
						firstRow,
					});
				}
			}
		} finally {
			parts.free(buffer);
		}
	}

	return {
		linearCrossEntropy(losses, logSumExp, hidden, weight, targets, precision) {
			const rows = hidden.shape[0]!;
			const sums = parts.allocate('f32', rows);
			const sumsView = viewOf(sums, [rows]);
			try {
				forChunks(rows, weight, ({ logits, weight, firstClass, rowsOf }) => {
					parts.matmulNT(logits, rowsOf(hidden), weight, { precision, accumulate: false, scale: 1 });
					kernels.crossEntropyChunk(
						device.engine,
						address(rowsOf(logSumExp)),
						address(rowsOf(sumsView)),
						address(rowsOf(losses)),
						address(logits),
						address(rowsOf(targets)),
						logits.shape[0]!,
						firstClass,
						logits.shape[1]!,
					);
				});
				kernels.crossEntropyEnd(
					device.engine,
					address(logSumExp),
					address(sumsView),
					address(losses),
					address(targets),
					rows,
				);
			} finally {
				parts.free(sums);
			}
		},
		linearCrossEntropyBackward({ dHidden, dWeight }, saved, dLosses, precision) {
			const { hidden, targets, logSumExp } = saved;
			forChunks(
				hidden.shape[0]!,
				saved.weight,
				({ logits, weight, firstRow, firstClass, endClass, rowsOf: part }) => {
					parts.matmulNT(logits, part(hidden), weight, { precision, accumulate: false, scale: 1 });
					kernels.crossEntropyChunkBackward(
						device.engine,
						address(logits),
						address(part(logSumExp)),
						address(part(dLosses)),
						address(part(targets)),
						logits.shape[0]!,
						firstClass,
						logits.shape[1]!,
					);
					if (dHidden !== undefined) {
						const accumulate = dHidden.accumulate || firstClass > 0;
						parts.matmulNN(part(dHidden.view), logits, weight, { precision, accumulate, scale: 1 });
					}
					if (dWeight !== undefined) {
						const accumulate = dWeight.accumulate || firstRow > 0;
						const target = rowsOf(dWeight.view, firstClass, endClass); // [classes, H]
						parts.matmulTN(target, logits, part(hidden), { precision, accumulate, scale: 1 });
					}
				},
			);
		},
	};
}
