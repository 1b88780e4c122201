import type { AttentionShape, View } from '../contract.ts';
import { checkSegments } from '../index-checks.ts';
import { type FloatArray, floatsOf, integersOf } from './memory.ts';

/** Σ_d a[aStart + d] × b[bStart + d]. */
function dot(a: FloatArray, aStart: number, b: FloatArray, bStart: number, length: number): number {
	let sum = 0;
	for (let d = 0; d < length; d++) sum += a[aStart + d]! * b[bStart + d]!;
	return sum;
}

/** target[targetStart + d] += factor × source[sourceStart + d]. */
function accumulate(
	target: Float64Array,
	targetStart: number,
	source: FloatArray,
	sourceStart: number,
	length: number,
	factor: number,
): void {
	for (let d = 0; d < length; d++) target[targetStart + d]! += factor * source[sourceStart + d]!;
}

export function attention(
	out: View,
	logSumExp: View,
	q: View,
	k: View,
	v: View,
	segmentStarts: View,
	shape: AttentionShape,
): void {
	const { heads, keyValueHeads, headDim, causal, scale } = shape;
	const outputs = floatsOf(out); // [T, heads × D]
	const logSums = floatsOf(logSumExp); // [T, heads]
	const queries = floatsOf(q); // [T, heads × D]
	const keys = floatsOf(k); // [T, keyValueHeads × D]
	const values = floatsOf(v); // [T, keyValueHeads × D]
	const starts = integersOf(segmentStarts); // [S + 1]
	checkSegments(starts, q.shape[0]!, shape.longestSegment);
	const keyRow = keyValueHeads * headDim;
	const scores = new Float64Array(shape.longestSegment);
	const row = new Float64Array(headDim);
	for (let s = 0; s + 1 < starts.length; s++) {
		const from = starts[s]!;
		for (let t = from; t < starts[s + 1]!; t++) {
			const to = causal ? t + 1 : starts[s + 1]!;
			for (let head = 0; head < heads; head++) {
				const query = (t * heads + head) * headDim;
				const keyHead = Math.floor((head * keyValueHeads) / heads) * headDim;
				let largest = Number.NEGATIVE_INFINITY;
				for (let j = from; j < to; j++) {
					const score = scale * dot(queries, query, keys, j * keyRow + keyHead, headDim);
					scores[j - from] = score;
					if (score > largest) largest = score;
				}
				let sum = 0;
				row.fill(0);
				for (let j = from; j < to; j++) {
					const weight = Math.exp(scores[j - from]! - largest);
					sum += weight;
					accumulate(row, 0, values, j * keyRow + keyHead, headDim, weight);
				}
				for (let d = 0; d < headDim; d++) outputs[query + d] = row[d]! / sum;
				logSums[t * heads + head] = largest + Math.log(sum);
			}
		}
	}
}

/**
 * With p = exp(scale × q·k − logSumExp) and δ = dOut·out: dv += p × dOut, ds = p × (dOut·v − δ) × scale, dq += ds × k,
 * dk += ds × q (Dao et al. 2022, section 3.1 and appendix B).
 */
export function attentionBackward(
	gradients: { readonly dq: View; readonly dk: View; readonly dv: View },
	saved: {
		readonly q: View;
		readonly k: View;
		readonly v: View;
		readonly out: View;
		readonly logSumExp: View;
		readonly segmentStarts: View;
	},
	dOut: View,
	shape: AttentionShape,
): void {
	const { heads, keyValueHeads, headDim, causal, scale } = shape;
	const queries = floatsOf(saved.q); // [T, heads × D]
	const keys = floatsOf(saved.k); // [T, keyValueHeads × D]
	const values = floatsOf(saved.v); // [T, keyValueHeads × D]
	const outputs = floatsOf(saved.out); // [T, heads × D]
	const logSums = floatsOf(saved.logSumExp); // [T, heads]
	const starts = integersOf(saved.segmentStarts); // [S + 1]
	const upstream = floatsOf(dOut); // [T, heads × D]
	const dQueries = new Float64Array(queries.length); // [T, heads × D]
	const dKeys = new Float64Array(keys.length); // [T, keyValueHeads × D]
	const dValues = new Float64Array(values.length); // [T, keyValueHeads × D]
	checkSegments(starts, saved.q.shape[0]!, shape.longestSegment);
	const keyRow = keyValueHeads * headDim;
	for (let s = 0; s + 1 < starts.length; s++) {
		const from = starts[s]!;
		for (let t = from; t < starts[s + 1]!; t++) {
			const to = causal ? t + 1 : starts[s + 1]!;
			for (let head = 0; head < heads; head++) {
				const query = (t * heads + head) * headDim;
				const keyHead = Math.floor((head * keyValueHeads) / heads) * headDim;
				const logSum = logSums[t * heads + head]!;
				const delta = dot(upstream, query, outputs, query, headDim);
				for (let j = from; j < to; j++) {
					const key = j * keyRow + keyHead;
					const p = Math.exp(scale * dot(queries, query, keys, key, headDim) - logSum);
					const dScore = p * (dot(upstream, query, values, key, headDim) - delta) * scale;
					accumulate(dValues, key, upstream, query, headDim, p);
					accumulate(dQueries, query, keys, key, headDim, dScore);
					accumulate(dKeys, key, queries, query, headDim, dScore);
				}
			}
		}
	}
	floatsOf(gradients.dq).set(dQueries);
	floatsOf(gradients.dk).set(dKeys);
	floatsOf(gradients.dv).set(dValues);
}
