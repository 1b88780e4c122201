import { validationThreshold } from './best-f1.ts';

/** Maps of a detector's probabilities to calibrated ones, fitted on validation; each with the threshold that validation chooses after it. */
export interface Calibration {
	/** Guo et al. (2017): logits are divided by it. Above 1 the detector was too sure of itself. */
	readonly temperature: { readonly value: number; readonly threshold: number };
	/** The monotone map with the least squared error (pool adjacent violators), linear between its points. */
	readonly isotonic: {
		readonly x: readonly number[];
		readonly y: readonly number[];
		readonly threshold: number;
	};
}

export type CalibrationMethod = keyof Calibration;

/**
 * Fits both maps. undefined where validation has one class only, on which the best calibrated answer is a constant.
 *
 * @param labels [rows] 0 or 1
 * @param probabilities [rows]
 */
export function fitCalibration(
	labels: ArrayLike<number>,
	probabilities: ArrayLike<number>,
): Calibration | undefined {
	const value = fitTemperature(labels, probabilities);
	const points = fitIsotonic(labels, probabilities);
	const thresholdAfter = (map: (probability: number) => number) =>
		validationThreshold(labels, Float64Array.from(probabilities, map));
	const afterTemperature = thresholdAfter((probability) => divideLogit(probability, value));
	const afterIsotonic = thresholdAfter((probability) => interpolate(points, probability));
	if (afterTemperature === null || afterIsotonic === null) return undefined;
	return {
		temperature: { value, threshold: afterTemperature },
		isotonic: { ...points, threshold: afterIsotonic },
	};
}

/** A calibrated probability. */
export function calibrated(calibration: Calibration, method: CalibrationMethod, probability: number): number {
	return method === 'temperature'
		? divideLogit(probability, calibration.temperature.value)
		: interpolate(calibration.isotonic, probability);
}

/** What is searched. At an end the log loss would fall still further, by next to nothing: see {@link describeTemperatureBound}. */
const temperatures = { least: 0.01, most: 100 };

/** What it means that a temperature lies at an end of what is searched; undefined where it doesn't. */
export function describeTemperatureBound(value: number): string | undefined {
	const isAt = (bound: number) => Math.abs(Math.log(value / bound)) < 1e-6;
	if (isAt(temperatures.most)) {
		return `The temperature is at its bound of ${temperatures.most}: on validation the log odds speak against the labels at least as much as for them, so that a temperature can only bring every probability near one half. Either they rank at random, or nearly all lie on one side of one half, which the isotonic map can mend.`;
	}
	if (isAt(temperatures.least)) {
		return `The temperature is at its bound of ${temperatures.least}: on validation every function lies on the right side of one half, or all lie very near it, so that a temperature brings each probability near 0 or 1. That is no certainty about other functions.`;
	}
	return undefined;
}

/** The temperature with the least log loss, by golden sections of its logarithm: the loss has one valley in 1 / T. */
function fitTemperature(labels: ArrayLike<number>, probabilities: ArrayLike<number>): number {
	const logits = Float64Array.from(probabilities, logit); // [rows]
	const loss = (logTemperature: number) => {
		const scale = Math.exp(-logTemperature);
		let sum = 0;
		for (let row = 0; row < logits.length; row++) {
			const margin = (labels[row] === 1 ? 1 : -1) * scale * logits[row]!;
			sum += margin > 0 ? Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin)) - margin;
		}
		return sum;
	};
	const ratio = (Math.sqrt(5) - 1) / 2;
	let low = Math.log(temperatures.least);
	let high = Math.log(temperatures.most);
	while (high - low > 1e-9) {
		const [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
		if (loss(a) <= loss(b)) high = b;
		else low = a;
	}
	return Math.exp((low + high) / 2);
}

/** Probabilities at the very ends have no finite logit: they are as far in as a float32 tells from them. */
function logit(probability: number): number {
	const inside = Math.min(1 - 2 ** -24, Math.max(2 ** -24, probability));
	return Math.log(inside / (1 - inside));
}

function divideLogit(probability: number, temperature: number): number {
	return 1 / (1 + Math.exp(-logit(probability) / temperature));
}

type Points = Pick<Calibration['isotonic'], 'x' | 'y'>;

/** The ends of each block of equal answers. */
function fitIsotonic(labels: ArrayLike<number>, probabilities: ArrayLike<number>): Points {
	const order = Array.from(probabilities, (_, row) => row).sort(
		(a, b) => probabilities[a]! - probabilities[b]!,
	);
	const blocks: { from: number; to: number; sum: number; count: number }[] = [];
	for (const row of order) {
		const score = probabilities[row]!;
		const last = blocks.at(-1);
		// rows of one score get one answer
		if (last !== undefined && last.from === score && last.to === score) {
			last.sum += labels[row]!;
			last.count += 1;
		} else blocks.push({ from: score, to: score, sum: labels[row]!, count: 1 });
	}
	const pooled: typeof blocks = [];
	for (const block of blocks) {
		let next = block;
		for (let last = pooled.at(-1); last !== undefined && last.sum * next.count >= next.sum * last.count; ) {
			pooled.pop();
			next = { from: last.from, to: next.to, sum: last.sum + next.sum, count: last.count + next.count };
			last = pooled.at(-1);
		}
		pooled.push(next);
	}
	const ends = pooled.flatMap(({ from, to, sum, count }) => {
		const value = sum / count;
		return from === to ? [[from, value] as const] : [[from, value] as const, [to, value] as const];
	});
	return { x: ends.map(([x]) => x), y: ends.map(([, y]) => y) };
}

/** Linear between points, constant beyond them. */
function interpolate({ x, y }: Points, at: number): number {
	const after = x.findIndex((place) => place >= at);
	if (after === -1) return y.at(-1)!;
	if (after === 0 || x[after] === at) return y[after]!;
	const share = (at - x[after - 1]!) / (x[after]! - x[after - 1]!);
	return y[after - 1]! + share * (y[after]! - y[after - 1]!);
}
