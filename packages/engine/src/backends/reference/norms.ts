import type { Destination, View } from '../contract.ts';
import { floatsOf } from './memory.ts';
import { storeGradient } from './numbers.ts';

/** Zhang & Sennrich 2019. */
export function rmsNorm(y: View, rstd: View, x: View, weight: View, epsilon: number): void {
	const out = floatsOf(y); // [T, H]
	const reciprocals = floatsOf(rstd); // [T]
	const values = floatsOf(x); // [T, H]
	const weights = floatsOf(weight); // [H]
	const h = weights.length;
	for (let t = 0, start = 0; t < reciprocals.length; t++, start += h) {
		let squares = 0;
		for (let j = 0; j < h; j++) squares += values[start + j]! ** 2;
		const reciprocal = 1 / Math.sqrt(squares / h + epsilon);
		reciprocals[t] = reciprocal;
		for (let j = 0; j < h; j++) out[start + j] = values[start + j]! * reciprocal * weights[j]!;
	}
}

/** With x̂ = x × rstd and g = dy × weight: dx = rstd × (g − x̂ × mean(g × x̂)), dWeight = Σ_t dy × x̂. */
export function rmsNormBackward(
	gradients: { readonly dx: Destination | undefined; readonly dWeight: Destination | undefined },
	saved: { readonly x: View; readonly rstd: View; readonly weight: View },
	dy: View,
): void {
	const upstream = floatsOf(dy); // [T, H]
	const values = floatsOf(saved.x); // [T, H]
	const reciprocals = floatsOf(saved.rstd); // [T]
	const weights = floatsOf(saved.weight); // [H]
	const h = weights.length;
	const dx = new Float64Array(values.length); // [T, H]
	const dWeight = new Float64Array(h);
	for (let t = 0, start = 0; t < reciprocals.length; t++, start += h) {
		const reciprocal = reciprocals[t]!;
		let projection = 0;
		for (let j = 0; j < h; j++) {
			const normalized = values[start + j]! * reciprocal;
			projection += upstream[start + j]! * weights[j]! * normalized;
			dWeight[j]! += upstream[start + j]! * normalized;
		}
		projection /= h;
		for (let j = 0; j < h; j++) {
			const normalized = values[start + j]! * reciprocal;
			dx[start + j] = reciprocal * (upstream[start + j]! * weights[j]! - normalized * projection);
		}
	}
	if (gradients.dx !== undefined) storeGradient(gradients.dx, dx);
	if (gradients.dWeight !== undefined) storeGradient(gradients.dWeight, dWeight);
}

/** Ba, Kiros & Hinton 2016. The variance is the mean squared distance from the mean, in a second pass. */
export function layerNorm(
	y: View,
	mean: View,
	rstd: View,
	x: View,
	weight: View,
	bias: View | undefined,
	epsilon: number,
): void {
	const out = floatsOf(y); // [T, H]
	const means = floatsOf(mean); // [T]
	const reciprocals = floatsOf(rstd); // [T]
	const values = floatsOf(x); // [T, H]
	const weights = floatsOf(weight); // [H]
	const h = weights.length;
	const biases = bias === undefined ? new Float64Array(h) : floatsOf(bias); // [H]
	for (let t = 0, start = 0; t < means.length; t++, start += h) {
		let sum = 0;
		for (let j = 0; j < h; j++) sum += values[start + j]!;
		const rowMean = sum / h;
		let squares = 0;
		for (let j = 0; j < h; j++) squares += (values[start + j]! - rowMean) ** 2;
		const reciprocal = 1 / Math.sqrt(squares / h + epsilon);
		means[t] = rowMean;
		reciprocals[t] = reciprocal;
		for (let j = 0; j < h; j++) {
			out[start + j] = (values[start + j]! - rowMean) * reciprocal * weights[j]! + biases[j]!;
		}
	}
}

/** With x̂ = (x − mean) × rstd and g = dy × weight: dx = rstd × (g − mean(g) − x̂ × mean(g × x̂)). */
export function layerNormBackward(
	gradients: {
		readonly dx: Destination | undefined;
		readonly dWeight: Destination | undefined;
		readonly dBias: Destination | undefined;
	},
	saved: { readonly x: View; readonly mean: View; readonly rstd: View; readonly weight: View },
	dy: View,
): void {
	const upstream = floatsOf(dy); // [T, H]
	const values = floatsOf(saved.x); // [T, H]
	const means = floatsOf(saved.mean); // [T]
	const reciprocals = floatsOf(saved.rstd); // [T]
	const weights = floatsOf(saved.weight); // [H]
	const h = weights.length;
	const dx = new Float64Array(values.length); // [T, H]
	const dWeight = new Float64Array(h);
	const dBias = new Float64Array(h);
	for (let t = 0, start = 0; t < means.length; t++, start += h) {
		const rowMean = means[t]!;
		const reciprocal = reciprocals[t]!;
		let sum = 0;
		let projection = 0;
		for (let j = 0; j < h; j++) {
			const normalized = (values[start + j]! - rowMean) * reciprocal;
			const gradient = upstream[start + j]! * weights[j]!;
			sum += gradient;
			projection += gradient * normalized;
			dWeight[j]! += upstream[start + j]! * normalized;
			dBias[j]! += upstream[start + j]!;
		}
		sum /= h;
		projection /= h;
		for (let j = 0; j < h; j++) {
			const normalized = (values[start + j]! - rowMean) * reciprocal;
			dx[start + j] = reciprocal * (upstream[start + j]! * weights[j]! - sum - normalized * projection);
		}
	}
	if (gradients.dx !== undefined) storeGradient(gradients.dx, dx);
	if (gradients.dWeight !== undefined) storeGradient(gradients.dWeight, dWeight);
	if (gradients.dBias !== undefined) storeGradient(gradients.dBias, dBias);
}
