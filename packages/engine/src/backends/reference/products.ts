import type { RowReader } from './weights.ts';

/**
 * Matrix products of float64 values, each sum in ascending order of its index. Rows of the weight are read once
 * and used for all rows of x; inner loops take four rows at a time to keep the processor busy.
 */

/** Rows of a weight that are held in float64 at once: they stay in the first cache level. */
const rowsPerBlock = 8;

/** Σ_k x[m, k] × row[k] for every m, into `out` [M]. */
export function multiplyRow(out: Float64Array, x: Float64Array, row: Float64Array): void {
	const k = row.length;
	const m = out.length;
	let i = 0;
	for (; i + 4 <= m; i += 4) {
		const x0 = i * k;
		const x1 = x0 + k;
		const x2 = x1 + k;
		const x3 = x2 + k;
		let sum0 = 0;
		let sum1 = 0;
		let sum2 = 0;
		let sum3 = 0;
		for (let j = 0; j < k; j++) {
			const value = row[j]!;
			sum0 += x[x0 + j]! * value;
			sum1 += x[x1 + j]! * value;
			sum2 += x[x2 + j]! * value;
			sum3 += x[x3 + j]! * value;
		}
		out[i] = sum0;
		out[i + 1] = sum1;
		out[i + 2] = sum2;
		out[i + 3] = sum3;
	}
	for (; i < m; i++) {
		let sum = 0;
		for (let j = 0, at = i * k; j < k; j++, at++) sum += x[at]! * row[j]!;
		out[i] = sum;
	}
}

/** target[targetStart + k] += Σ_i factors[factorStart + i] × rows[i, k] for i < count, in ascending i. */
export function addWeightedRows(
	target: Float64Array,
	targetStart: number,
	factors: Float64Array,
	factorStart: number,
	count: number,
	rows: Float64Array,
	k: number,
): void {
	let i = 0;
	for (; i + 4 <= count; i += 4) {
		const factor0 = factors[factorStart + i]!;
		const factor1 = factors[factorStart + i + 1]!;
		const factor2 = factors[factorStart + i + 2]!;
		const factor3 = factors[factorStart + i + 3]!;
		const row0 = i * k;
		const row1 = row0 + k;
		const row2 = row1 + k;
		const row3 = row2 + k;
		for (let j = 0, at = targetStart; j < k; j++, at++) {
			target[at] =
				target[at]! +
				factor0 * rows[row0 + j]! +
				factor1 * rows[row1 + j]! +
				factor2 * rows[row2 + j]! +
				factor3 * rows[row3 + j]!;
		}
	}
	for (; i < count; i++) {
		const factor = factors[factorStart + i]!;
		for (let j = 0, at = targetStart, from = i * k; j < k; j++, at++, from++) {
			target[at]! += factor * rows[from]!;
		}
	}
}

/** x [M, K] · Wᵀ → [M, N] for W [N, K]. */
export function productNT(x: Float64Array, weight: RowReader, m: number, n: number, k: number): Float64Array {
	const product = new Float64Array(m * n); // [M, N]
	const row = new Float64Array(k);
	const column = new Float64Array(m);
	for (let j = 0; j < n; j++) {
		weight(j, row);
		multiplyRow(column, x, row);
		for (let i = 0; i < m; i++) product[i * n + j] = column[i]!;
	}
	return product;
}

/** dy [M, N] · W → [M, K] for W [N, K]. */
export function productNN(
	dy: Float64Array,
	weight: RowReader,
	m: number,
	n: number,
	k: number,
): Float64Array {
	const product = new Float64Array(m * k); // [M, K]
	const block = new Float64Array(Math.min(n, rowsPerBlock) * k); // [rowsPerBlock, K] of W
	for (let start = 0; start < n; start += rowsPerBlock) {
		const count = Math.min(rowsPerBlock, n - start);
		for (let j = 0; j < count; j++) weight(start + j, block.subarray(j * k, (j + 1) * k));
		for (let i = 0; i < m; i++) addWeightedRows(product, i * k, dy, i * n + start, count, block, k);
	}
	return product;
}

/** dyᵀ [N, M] · x [M, K] → [N, K]. */
export function productTN(dy: Float64Array, x: Float64Array, m: number, n: number, k: number): Float64Array {
	const product = new Float64Array(n * k); // [N, K]
	const column = new Float64Array(m);
	for (let j = 0; j < n; j++) {
		for (let i = 0; i < m; i++) column[i] = dy[i * n + j]!;
		addWeightedRows(product, j * k, column, 0, m, x, k);
	}
	return product;
}

export function scaleValues(values: Float64Array, factor: number): Float64Array {
	for (let i = 0; i < values.length; i++) values[i]! *= factor;
	return values;
}
