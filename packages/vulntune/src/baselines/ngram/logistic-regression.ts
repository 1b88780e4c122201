import { hashStream, permutation } from '@vulntune/engine/random/streams.ts';
import type { SparseMatrix } from './matrix.ts';

export interface LinearModel {
	readonly weights: Float64Array; // [columns]
	readonly intercept: number;
}

export interface LogisticOptions {
	/** C of scikit-learn: how much the losses count against the squared weights. */
	readonly inverseRegularization: number;
	/** Where to begin: the dual solution for a neighbouring C. */
	readonly start?: LogisticFit | undefined;
	/** Stop when no logit is further than this from the one that its dual variable stands for. Default 0.05. */
	readonly tolerance?: number;
	/** Passes over the rows at most. Default 120. */
	readonly passes?: number;
	/** Asked before every pass: true ends the fit where it is, not converged. */
	readonly stop?: (() => boolean) | undefined;
}

export interface LogisticFit extends LinearModel {
	/** Dual variables as logits: alpha = C * sigmoid(dual). */
	readonly dual: Float64Array; // [rows]
	readonly passes: number;
	readonly converged: boolean;
}

const stream = hashStream('ngram/rows');

/**
 * Logistic regression with an L2 penalty: minimises (|w|^2 + b^2) / 2 + C * sum of log(1 + exp(-s (x . w + b))),
 * s = +1 or -1. Solved by coordinate descent in the dual (Yu, Huang and Lin, Machine Learning 85, 2011): with
 * w = sum of alpha s x, every row in turn gets the alpha that is best while the others stay. Here each is kept as
 * a logit, alpha = C * sigmoid(u), so that neither end of (0, C) is ever rounded away; at the solution u equals
 * -s (x . w + b), which gives the stopping rule. Deterministic: the order of the rows comes from a fixed seed.
 * @param labels [rows] 0 or 1
 */
export function fitLogisticRegression(
	matrix: SparseMatrix,
	labels: ArrayLike<number>,
	{ inverseRegularization, start, tolerance = 0.05, passes = 120, stop = () => false }: LogisticOptions,
): LogisticFit {
	const { rows, columns, starts, columnOf, values } = matrix;
	const weights = new Float64Array(columns); // [columns]
	let intercept = 0;
	const dual = start === undefined ? new Float64Array(rows).fill(-8) : start.dual.slice(); // [rows]
	const squares = new Float64Array(rows); // [rows], |x|^2 + 1
	const move = (row: number, step: number) => {
		for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
			weights[columnOf[entry]!]! += step * values[entry]!;
		}
		intercept += step;
	};
	for (let row = 0; row < rows; row++) {
		squares[row] = 1;
		for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) squares[row]! += values[entry]! ** 2;
		move(row, (labels[row] === 1 ? 1 : -1) * inverseRegularization * sigmoid(dual[row]!));
	}
	for (let pass = 0; pass < passes; pass++) {
		if (stop()) return { weights, intercept, dual, passes: pass, converged: false };
		let furthest = 0;
		for (const row of permutation(pass, stream, rows)) {
			const sign = labels[row] === 1 ? 1 : -1;
			let logit = intercept;
			for (let entry = starts[row]!; entry < starts[row + 1]!; entry++) {
				logit += values[entry]! * weights[columnOf[entry]!]!;
			}
			const before = dual[row]!;
			furthest = Math.max(furthest, Math.abs(before + sign * logit));
			const after = bestDual(before, sign * logit, squares[row]!, inverseRegularization);
			dual[row] = after;
			move(row, sign * inverseRegularization * (sigmoid(after) - sigmoid(before)));
		}
		if (furthest <= tolerance) return { weights, intercept, dual, passes: pass + 1, converged: true };
	}
	return { weights, intercept, dual, passes, converged: false };
}

/**
 * The root u of u + margin + square * C * (sigmoid(u) - sigmoid(before)), which grows by at least 1 per unit of u:
 * Newton steps, halved into the bracket where they leave it.
 */
function bestDual(before: number, margin: number, square: number, c: number): number {
	const alpha = c * sigmoid(before);
	let low = -margin - square * (c - alpha);
	let high = -margin + square * alpha;
	let u = Math.min(high, Math.max(low, before));
	for (let step = 0; step < 60; step++) {
		const share = sigmoid(u);
		const excess = u + margin + square * (c * share - alpha);
		if (Math.abs(excess) < 1e-9) break;
		if (excess > 0) high = u;
		else low = u;
		const next = u - excess / (1 + square * c * share * (1 - share));
		u = next > low && next < high ? next : (low + high) / 2;
	}
	return u;
}

/** 1 / (1 + exp(-x)) without overflow. */
export function sigmoid(x: number): number {
	return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}
