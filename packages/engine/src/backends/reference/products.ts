import type { RowReader } from './weights.ts';

/**
 * Matrix products of float64 values, each sum in ascending order of its index. Rows of the weight are read once
 * and used for all rows of x.
 */

/** Σ_k x[m, k] × row[k] for every m, into `out` [M]; four rows at a time to keep the processor busy. */
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

/** target[m, k] += column[m] × row[k]: one outer product. */
export function addOuterProduct(target: Float64Array, column: Float64Array, row: Float64Array): void {
	const k = row.length;
	for (let i = 0, at = 0; i < column.length; i++) {
		const factor = column[i]!;
		for (let j = 0; j < k; j++, at++) target[at]! += factor * row[j]!;
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
	const row = new Float64Array(k);
	const column = new Float64Array(m);
	for (let j = 0; j < n; j++) {
		weight(j, row);
		for (let i = 0; i < m; i++) column[i] = dy[i * n + j]!;
		addOuterProduct(product, column, row);
	}
	return product;
}

/** dyᵀ [N, M] · x [M, K] → [N, K]. */
export function productTN(dy: Float64Array, x: Float64Array, m: number, n: number, k: number): Float64Array {
	const product = new Float64Array(n * k); // [N, K]
	for (let i = 0; i < m; i++) {
		addOuterProduct(product, dy.subarray(i * n, (i + 1) * n), x.subarray(i * k, (i + 1) * k));
	}
	return product;
}

/** Reads the rows of a matrix [·, K] that lies in float64 memory. */
export function rowsInMemory(matrix: Float64Array, k: number): RowReader {
	return (row, target) => target.set(matrix.subarray(row * k, (row + 1) * k));
}

export function scaleValues(values: Float64Array, factor: number): Float64Array {
	for (let i = 0; i < values.length; i++) values[i]! *= factor;
	return values;
}
