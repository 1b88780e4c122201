import { type AdamWOptions, MOMENTS_PER_BLOCK, type QuantizedMoment, type View } from '../contract.ts';
import { dataOf, type FloatArray, floatsOf } from './memory.ts';

/** Algorithm 2 of Loshchilov & Hutter 2019, with the decay multiplied by the learning rate, as PyTorch has it. */
export function adamW(
	parameters: View,
	gradients: View,
	firstMoment: View,
	secondMoment: View,
	options: AdamWOptions,
): void {
	take(floatsOf(parameters), floatsOf(gradients), floatsOf(firstMoment), floatsOf(secondMoment), options);
}

/** Dettmers et al. 2022: every block's moments are dequantised for the step and quantised after it. */
export function adamW8bit(
	parameters: View,
	gradients: View,
	firstMoment: QuantizedMoment,
	secondMoment: QuantizedMoment,
	options: AdamWOptions,
): void {
	const p = floatsOf(parameters);
	const g = floatsOf(gradients);
	for (let block = 0; block * MOMENTS_PER_BLOCK < p.length; block++) {
		const start = block * MOMENTS_PER_BLOCK;
		const end = Math.min(p.length, start + MOMENTS_PER_BLOCK);
		const first = restored(firstMoment, block, start, end);
		const second = restored(secondMoment, block, start, end);
		take(p.subarray(start, end), g.subarray(start, end), first, second, options);
		keep(firstMoment, block, start, first);
		keep(secondMoment, block, start, second);
	}
}

/** Moments [start, end) of a block. */
function restored({ codes, absmax, codebook }: QuantizedMoment, block: number, start: number, end: number) {
	const [values, scale] = [floatsOf(codebook), floatsOf(absmax)[block]!];
	return Float32Array.from(dataOf(codes).subarray(start, end), (code) => values[code]! * scale);
}

/** Quantises the moments of a block. */
function keep(
	{ codes, absmax, codebook }: QuantizedMoment,
	block: number,
	start: number,
	moments: Float32Array,
): void {
	const values = floatsOf(codebook);
	const largest = moments.reduce(
		(most, moment) => (Math.abs(moment) > most || Number.isNaN(moment) ? Math.abs(moment) : most),
		0,
	);
	floatsOf(absmax)[block] = largest;
	const reciprocal = Math.fround(1 / largest);
	// of zeros, or of numbers so small that the reciprocal overflows: the code of 0 throughout
	const inverse = reciprocal === Infinity ? 0 : reciprocal;
	const target = dataOf(codes);
	for (let i = 0; i < moments.length; i++) {
		const scaled = Math.fround(moments[i]! * inverse);
		let code = 0;
		while (code < 255 && scaled > Math.fround(values[code]! + values[code + 1]!) / 2) code++;
		target[start + i] = code;
	}
}

/** The step itself, in the precision of the arrays. */
function take(
	p: FloatArray,
	g: FloatArray,
	first: FloatArray,
	second: FloatArray,
	{ learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale }: AdamWOptions,
): void {
	const correction1 = 1 - beta1 ** step;
	const correction2 = 1 - beta2 ** step;
	const decay = 1 - learningRate * weightDecay;
	for (let i = 0; i < p.length; i++) {
		const gradient = g[i]! * gradientScale;
		const m = beta1 * first[i]! + (1 - beta1) * gradient;
		const v = beta2 * second[i]! + (1 - beta2) * gradient * gradient;
		first[i] = m;
		second[i] = v;
		p[i] = p[i]! * decay - (learningRate * (m / correction1)) / (Math.sqrt(v / correction2) + epsilon);
	}
}
