/** Rows in the order of falling score, cut where the score changes. Made once, counted with many weights. */
export interface Ranking {
	/** Row numbers by falling score, equal scores in row order. */
	readonly order: Int32Array; // [rows]
	/** For every distinct score one past its last place in `order`. */
	readonly ends: Int32Array; // [distinct]
	/** The distinct scores, falling. */
	readonly thresholds: Float64Array; // [distinct]
}

/** @param scores [rows] finite numbers; see {@link validateScores} */
export function rankScores(scores: ArrayLike<number>): Ranking {
	const order = Int32Array.from({ length: scores.length }, (_, row) => row); // [rows]
	order.sort((a, b) => scores[b]! - scores[a]! || a - b);
	const ends: number[] = [];
	const thresholds: number[] = [];
	for (let place = 0; place < order.length; place++) {
		const score = scores[order[place]!]!;
		if (place + 1 < order.length && scores[order[place + 1]!] === score) continue;
		ends.push(place + 1);
		thresholds.push(score);
	}
	return { order, ends: Int32Array.from(ends), thresholds: Float64Array.from(thresholds) };
}

/**
 * How many vulnerable and other functions have a score of at least each threshold. ROC AUC, average precision,
 * F1 and every rate at a threshold are read from it.
 */
export interface CountCurve {
	/** Distinct scores, falling. */
	readonly thresholds: Float64Array; // [distinct]
	readonly truePositives: Float64Array; // [distinct]
	readonly falsePositives: Float64Array; // [distinct]
	readonly positives: number;
	readonly negatives: number;
}

/**
 * @param labels [rows] 0 or 1
 * @param weights [rows] how often each row counts (a bootstrap resample); once each if absent
 */
export function countCurve(
	ranking: Ranking,
	labels: ArrayLike<number>,
	weights?: ArrayLike<number>,
): CountCurve {
	const { order, ends, thresholds } = ranking;
	const truePositives = new Float64Array(ends.length); // [distinct]
	const falsePositives = new Float64Array(ends.length); // [distinct]
	let positives = 0;
	let negatives = 0;
	let place = 0;
	for (let block = 0; block < ends.length; block++) {
		for (const end = ends[block]!; place < end; place++) {
			const row = order[place]!;
			const weight = weights === undefined ? 1 : weights[row]!;
			if (labels[row] === 1) positives += weight;
			else negatives += weight;
		}
		truePositives[block] = positives;
		falsePositives[block] = negatives;
	}
	return { thresholds, truePositives, falsePositives, positives, negatives };
}

/** The curve of labels and scores, each row once. */
export function curveOf(labels: ArrayLike<number>, scores: ArrayLike<number>): CountCurve {
	return countCurve(rankScores(scores), labels);
}
