import { normal975 } from '../metrics/normal.ts';

/** Functions with a probability in one interval. */
export interface CalibrationBin {
	readonly count: number;
	readonly meanProbability: number;
	/** Share of them that is vulnerable, with Wilson's 95 % interval. */
	readonly positives: number;
	readonly low: number;
	readonly high: number;
}

/**
 * The bins of a reliability diagram that are not empty. Bin b of n holds (b/n, (b+1)/n], the first also 0: those of the expected
 * calibration error.
 */
export function calibrationBins(
	labels: readonly number[],
	probabilities: readonly number[],
	bins = 15,
): CalibrationBin[] {
	const sums = Array.from({ length: bins }, () => ({ count: 0, probability: 0, positives: 0 }));
	for (const [row, probability] of probabilities.entries()) {
		const bin = sums[Math.min(bins - 1, Math.max(0, Math.ceil(probability * bins) - 1))]!;
		bin.count += 1;
		bin.probability += probability;
		bin.positives += labels[row]!;
	}
	return sums
		.filter(({ count }) => count > 0)
		.map(({ count, probability, positives }) => ({
			count,
			meanProbability: probability / count,
			positives: positives / count,
			...wilson(positives / count, count),
		}));
}

/** Wilson's score interval of a share (Wilson 1927). */
function wilson(share: number, count: number): { readonly low: number; readonly high: number } {
	const z2 = normal975 ** 2;
	const center = (share + z2 / (2 * count)) / (1 + z2 / count);
	const halfWidth =
		(normal975 / (1 + z2 / count)) * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count ** 2));
	return { low: Math.max(0, center - halfWidth), high: Math.min(1, center + halfWidth) };
}
