import type { AttentionOptions, AttentionShape, FloatPrecision, Segments, View } from '../contract.ts';
import { copiedFloats, type FloatArray, floatsOf, integersOf, writeFloats } from './memory.ts';
import { roundOperand } from './numbers.ts';

/** An operand of the products, as the precision rounds it. */
function operandOf(view: View, precision: FloatPrecision): FloatArray {
	return roundOperand(Float64Array.from(copiedFloats(view)), precision);
}

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

/** A segment's tokens [from, to), and the tokens [parentFrom, parentFrom + parentLength) that they see before their own. */
interface Stretch {
	readonly from: number;
	readonly to: number;
	readonly parentFrom: number;
	readonly parentLength: number;
}

function stretchesOf(segments: Segments): Stretch[] {
	const starts = integersOf(segments.starts); // [S + 1]
	const parents = segments.parents === undefined ? undefined : integersOf(segments.parents); // [S]
	return Array.from({ length: starts.length - 1 }, (_, s) => {
		const parent = parents?.[s] ?? -1;
		const hasParent = parent !== -1;
		return {
			from: starts[s]!,
			to: starts[s + 1]!,
			parentFrom: hasParent ? starts[parent]! : 0,
			parentLength: hasParent ? starts[parent + 1]! - starts[parent]! : 0,
		};
	});
}

/** Which tokens token t of a stretch sees, [first, end), counted along it. */
function tokensSeen(
	{ from, to, parentLength }: Stretch,
	t: number,
	{ causal, window = Number.POSITIVE_INFINITY }: AttentionShape,
): readonly [first: number, end: number] {
	const place = parentLength + t - from;
	const length = parentLength + to - from;
	return [Math.max(0, place - window + 1), Math.min(length, place + (causal ? 1 : window))];
}

/** The i-th token of a stretch: first those of its parent, then its own. */
function seenToken({ from, parentFrom, parentLength }: Stretch, i: number): number {
	return i < parentLength ? parentFrom + i : from + i - parentLength;
}

export function attention(
	out: View,
	logSumExp: View,
	q: View,
	k: View,
	v: View,
	segments: Segments,
	options: AttentionOptions,
): void {
	const { heads, keyValueHeads, headDim, scale, precision } = options;
	const outputs = floatsOf(out); // [T, heads × D]
	const logSums = floatsOf(logSumExp); // [T, heads]
	const queries = operandOf(q, precision); // [T, heads × D]
	const keys = operandOf(k, precision); // [T, keyValueHeads × D]
	const values = operandOf(v, precision); // [T, keyValueHeads × D]
	const keyRow = keyValueHeads * headDim;
	const scores = new Float64Array(segments.longest);
	const row = new Float64Array(headDim);
	for (const stretch of stretchesOf(segments)) {
		for (let t = stretch.from; t < stretch.to; t++) {
			const [first, end] = tokensSeen(stretch, t, options);
			for (let head = 0; head < heads; head++) {
				const query = (t * heads + head) * headDim;
				const keyHead = Math.floor((head * keyValueHeads) / heads) * headDim;
				let largest = Number.NEGATIVE_INFINITY;
				for (let i = first; i < end; i++) {
					const key = seenToken(stretch, i) * keyRow + keyHead;
					const score = scale * dot(queries, query, keys, key, headDim);
					scores[i] = score;
					if (score > largest) largest = score;
				}
				let sum = 0;
				row.fill(0);
				for (let i = first; i < end; i++) {
					const weight = Math.exp(scores[i]! - largest);
					sum += weight;
					accumulate(row, 0, values, seenToken(stretch, i) * keyRow + keyHead, headDim, weight);
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
		readonly segments: Segments;
	},
	dOut: View,
	options: AttentionOptions,
): void {
	const { heads, keyValueHeads, headDim, scale, precision } = options;
	const queries = operandOf(saved.q, precision); // [T, heads × D]
	const keys = operandOf(saved.k, precision); // [T, keyValueHeads × D]
	const values = operandOf(saved.v, precision); // [T, keyValueHeads × D]
	const outputs = floatsOf(saved.out); // [T, heads × D]
	const logSums = floatsOf(saved.logSumExp); // [T, heads]
	const upstream = operandOf(dOut, precision); // [T, heads × D]
	const dQueries = new Float64Array(queries.length); // [T, heads × D]
	const dKeys = new Float64Array(keys.length); // [T, keyValueHeads × D]
	const dValues = new Float64Array(values.length); // [T, keyValueHeads × D]
	const keyRow = keyValueHeads * headDim;
	for (const stretch of stretchesOf(saved.segments)) {
		for (let t = stretch.from; t < stretch.to; t++) {
			const [first, end] = tokensSeen(stretch, t, options);
			for (let head = 0; head < heads; head++) {
				const query = (t * heads + head) * headDim;
				const keyHead = Math.floor((head * keyValueHeads) / heads) * headDim;
				const logSum = logSums[t * heads + head]!;
				const delta = dot(upstream, query, outputs, query, headDim);
				for (let i = first; i < end; i++) {
					const key = seenToken(stretch, i) * keyRow + keyHead;
					const p = Math.exp(scale * dot(queries, query, keys, key, headDim) - logSum);
					const dScore = p * (dot(upstream, query, values, key, headDim) - delta) * scale;
					accumulate(dValues, key, upstream, query, headDim, p);
					accumulate(dQueries, query, keys, key, headDim, dScore);
					accumulate(dKeys, key, queries, query, headDim, dScore);
				}
			}
		}
	}
	writeFloats(gradients.dq, dQueries);
	writeFloats(gradients.dk, dKeys);
	writeFloats(gradients.dv, dValues);
}
