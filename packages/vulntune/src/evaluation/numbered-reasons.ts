/** Why values of a table are undefined or have no interval: each reason once, in the order of its first use. */
export interface NumberedReasons {
	readonly reasons: readonly string[];
	/** From 1. */
	readonly numberOf: (reason: string) => number;
}

export function numberReasons(): NumberedReasons {
	const reasons: string[] = [];
	return {
		reasons,
		numberOf(reason) {
			if (!reasons.includes(reason)) reasons.push(reason);
			return reasons.indexOf(reason) + 1;
		},
	};
}
