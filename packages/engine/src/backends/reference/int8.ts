import type { RowReader } from './weights.ts';

/** Elements along the depth of a product that share a scale. */
const blockSize = 64;
/** Below this the reciprocal of a scale would overflow. */
const smallestAbsmax = Math.fround(1e-36);

/** Rows of a product's operand in 8 bits, as `Precision` in contract.ts says. */
interface Int8Rows {
	readonly rows: number;
	readonly depth: number;
	/** [rows, depth] from −127 to 127. */
	readonly codes: Int8Array;
	/** [rows, blocks] */
	readonly scales: Float32Array;
}

function blocksOf(depth: number): number {
	return Math.ceil(depth / blockSize);
}

function quantizeRows(rows: number, depth: number, values: Float32Array): Int8Rows {
	const blocks = blocksOf(depth);
	const codes = new Int8Array(rows * depth);
	const scales = new Float32Array(rows * blocks);
	for (let row = 0; row < rows; row++) {
		for (let block = 0; block < blocks; block++) {
			const start = row * depth + block * blockSize;
			const end = Math.min(start + blockSize, (row + 1) * depth);
			let absmax = 0;
			for (let i = start; i < end; i++) absmax = Math.max(absmax, Math.abs(values[i]!)); // NaN stays
			scales[row * blocks + block] = absmax / 127;
			if (absmax < smallestAbsmax) continue;
			const inverse = Math.fround(127 / absmax);
			for (let i = start; i < end; i++) codes[i] = roundToEven(Math.fround(values[i]! * inverse));
		}
	}
	return { rows, depth, codes, scales };
}

function roundToEven(value: number): number {
	const below = Math.floor(value);
	const distance = value - below;
	if (distance !== 0.5) return distance < 0.5 ? below : below + 1;
	return below % 2 === 0 ? below : below + 1;
}

/** Σ over blocks of scale × scale × the exact sum of the products of codes: left [M, D] · rightᵀ → [M, N]. */
function multiply(left: Int8Rows, right: Int8Rows): Float64Array {
	const blocks = blocksOf(left.depth);
	const product = new Float64Array(left.rows * right.rows); // [M, N]
	for (let m = 0; m < left.rows; m++) {
		for (let n = 0; n < right.rows; n++) {
			let total = 0;
			for (let block = 0; block < blocks; block++) {
				const end = Math.min(left.depth, (block + 1) * blockSize);
				let sum = 0;
				for (let d = block * blockSize; d < end; d++) {
					sum += left.codes[m * left.depth + d]! * right.codes[n * right.depth + d]!;
				}
				total += sum * left.scales[m * blocks + block]! * right.scales[n * blocks + block]!;
			}
			product[m * right.rows + n] = total;
		}
	}
	return product;
}

/** x [M, K] · Wᵀ → [M, N] for W [N, K], in 8 bits. */
export function int8ProductNT(
	x: Float64Array,
	weight: RowReader,
	m: number,
	n: number,
	k: number,
): Float64Array {
	const values = new Float32Array(n * k); // [N, K]
	const row = new Float64Array(k);
	for (let j = 0; j < n; j++) {
		weight(j, row);
		values.set(row, j * k);
	}
	return multiply(quantizeRows(m, k, new Float32Array(x)), quantizeRows(n, k, values));
}

/** dy [M, N] · W → [M, K] for W [N, K], in 8 bits. */
export function int8ProductNN(
	dy: Float64Array,
	weight: RowReader,
	m: number,
	n: number,
	k: number,
): Float64Array {
	const columns = new Float32Array(k * n); // [K, N]
	const row = new Float64Array(k);
	for (let j = 0; j < n; j++) {
		weight(j, row);
		for (let i = 0; i < k; i++) columns[i * n + j] = row[i]!;
	}
	return multiply(quantizeRows(m, n, new Float32Array(dy)), quantizeRows(k, n, columns));
}
