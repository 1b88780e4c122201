import type {
	Destination,
	FloatPrecision,
	FocalOptions,
	Indices,
	Targets,
	View,
	Weight,
} from '../contract.ts';
import { IGNORED_TARGET } from '../indices.ts';
import { type FloatArray, floatsOf, integersOf } from './memory.ts';
import { operand, roundOperand, storeGradient } from './numbers.ts';
import { addWeightedRows, multiplyRow } from './products.ts';
import { rowReader } from './weights.ts';

/** One row of the vocabulary at a time, so that only R logits are ever held: a running log-sum-exp per row. */
export function linearCrossEntropy(
	losses: View,
	logSumExp: View,
	hidden: View,
	weight: Weight,
	targets: Targets,
	precision: FloatPrecision,
): void {
	const [rows, h] = [hidden.shape[0]!, hidden.shape[1]!];
	const ids = integersOf(targets); // [R]
	const x = operand(hidden, precision); // [R, H]
	const readRow = rowReader(weight, precision);
	const weightRow = new Float64Array(h);
	const logits = new Float64Array(rows); // of one vocabulary entry
	const targetLogits = new Float64Array(rows);
	const largest = new Float64Array(rows).fill(Number.NEGATIVE_INFINITY);
	const sums = new Float64Array(rows); // Σ exp(logit − largest)
	for (let id = 0; id < weight.shape[0]!; id++) {
		readRow(id, weightRow);
		multiplyRow(logits, x, weightRow);
		for (let r = 0; r < rows; r++) {
			const logit = logits[r]!;
			if (ids[r] === id) targetLogits[r] = logit;
			if (logit > largest[r]!) {
				sums[r] = sums[r]! * Math.exp(largest[r]! - logit) + 1;
				largest[r] = logit;
			} else {
				sums[r]! += Math.exp(logit - largest[r]!);
			}
		}
	}
	const lossValues = floatsOf(losses);
	const logSums = floatsOf(logSumExp);
	for (let r = 0; r < rows; r++) {
		const logSum = largest[r]! + Math.log(sums[r]!);
		logSums[r] = logSum;
		lossValues[r] = ids[r] === IGNORED_TARGET ? 0 : logSum - targetLogits[r]!;
	}
}

export function linearCrossEntropyBackward(
	gradients: { readonly dHidden: Destination | undefined; readonly dWeight: Destination | undefined },
	saved: {
		readonly hidden: View;
		readonly weight: Weight;
		readonly targets: Targets;
		readonly logSumExp: View;
	},
	dLosses: View,
	precision: FloatPrecision,
): void {
	const [rows, h] = [saved.hidden.shape[0]!, saved.hidden.shape[1]!];
	const ids = integersOf(saved.targets); // [R]
	const upstream = floatsOf(dLosses); // [R]
	const logSums = floatsOf(saved.logSumExp); // [R]
	const x = operand(saved.hidden, precision); // [R, H]
	const readRow = rowReader(saved.weight, precision);
	const weightRow = new Float64Array(h);
	const dLogits = new Float64Array(rows); // of one vocabulary entry
	const dHidden = new Float64Array(rows * h); // [R, H]
	const dWeightRow = new Float64Array(h);
	const dWeight = gradients.dWeight && floatsOf(gradients.dWeight.view); // [V, H]
	for (let id = 0; id < saved.weight.shape[0]!; id++) {
		readRow(id, weightRow);
		multiplyRow(dLogits, x, weightRow);
		for (let r = 0; r < rows; r++) {
			const probability = Math.exp(dLogits[r]! - logSums[r]!);
			const target = ids[r]!;
			dLogits[r] =
				target === IGNORED_TARGET ? 0 : upstream[r]! * (target === id ? probability - 1 : probability);
		}
		roundOperand(dLogits, precision);
		if (gradients.dHidden !== undefined) {
			for (let r = 0; r < rows; r++) addWeightedRows(dHidden, r * h, dLogits, r, 1, weightRow, h);
		}
		if (dWeight === undefined) continue;
		dWeightRow.fill(0);
		addWeightedRows(dWeightRow, 0, dLogits, 0, rows, x, h);
		for (let j = 0, at = id * h; j < h; j++, at++) {
			dWeight[at] = gradients.dWeight!.accumulate ? dWeight[at]! + dWeightRow[j]! : dWeightRow[j]!;
		}
	}
	if (gradients.dHidden !== undefined) storeGradient(gradients.dHidden, dHidden);
}

/**
 * −log softmax(logits)[label] for logits [start, start + classes), without cancellation: with d the distances
 * of the other logits from the label's, log1p(Σ exp d) if all are negative, else the largest d and the log1p of the rest.
 */
function negativeLogProbability(logits: FloatArray, start: number, classes: number, label: number): number {
	const own = logits[start + label]!;
	let closest = -1;
	for (let c = 0; c < classes; c++) {
		if (c !== label && (closest < 0 || logits[start + c]! > logits[start + closest]!)) closest = c;
	}
	if (closest < 0) return 0;
	const lead = Math.max(0, logits[start + closest]! - own);
	let rest = lead > 0 ? Math.exp(-lead) : 0;
	for (let c = 0; c < classes; c++) {
		if (c === label || (lead > 0 && c === closest)) continue;
		rest += Math.exp(logits[start + c]! - own - lead);
	}
	return lead + Math.log1p(rest);
}

/** (1 − p)^γ and ∂((1 − p)^γ × −log p)/∂(−log p), by 1 − p = −expm1(log p), which keeps its digits near p = 1. */
function focalFactors(negLogP: number, { gamma, gradient }: FocalOptions): [factor: number, slope: number] {
	const rest = -Math.expm1(-negLogP);
	const factor = rest ** gamma;
	if (gradient === 'detached' || gamma === 0) return [factor, factor];
	const ratio = rest === 0 ? 1 : negLogP / rest; // its limit at p = 1
	return [factor, factor * (1 + gamma * Math.exp(-negLogP) * ratio)];
}

export function focalLoss(
	outputs: { readonly losses: View; readonly probabilities: View; readonly dLogits: View },
	logits: View,
	labels: Indices,
	weights: View,
	options: FocalOptions,
): void {
	const losses = floatsOf(outputs.losses); // [F]
	const probabilities = floatsOf(outputs.probabilities); // [F, C]
	const dLogits = floatsOf(outputs.dLogits); // [F, C]
	const values = floatsOf(logits); // [F, C]
	const classesOf = integersOf(labels); // [F]
	const factors = floatsOf(weights); // [F]
	const classes = logits.shape[1]!;
	for (let f = 0, start = 0; f < losses.length; f++, start += classes) {
		const label = classesOf[f]!;
		const negLogP = negativeLogProbability(values, start, classes, label);
		const [factor, slope] = focalFactors(negLogP, options);
		losses[f] = factors[f]! * factor * negLogP;
		for (let c = 0; c < classes; c++) {
			const probability = Math.exp(values[start + c]! - values[start + label]! - negLogP);
			probabilities[start + c] = probability;
			const dNegLogP = c === label ? Math.expm1(-negLogP) : probability; // softmax − onehot
			dLogits[start + c] = factors[f]! * slope * dNegLogP;
		}
	}
}

export function focalOfNegLogP(
	outputs: { readonly losses: View; readonly derivative: View },
	negLogP: View,
	weights: View,
	options: FocalOptions,
): void {
	const losses = floatsOf(outputs.losses); // [R]
	const derivative = floatsOf(outputs.derivative); // [R]
	const values = floatsOf(negLogP); // [R]
	const factors = floatsOf(weights); // [R]
	for (let r = 0; r < losses.length; r++) {
		// A difference of rounded logarithms can come out a little below 0, where (1 − p)^γ is not a number.
		const value = Math.max(0, values[r]!);
		const [factor, slope] = focalFactors(value, options);
		losses[r] = factors[r]! * factor * value;
		derivative[r] = factors[r]! * slope;
	}
}
