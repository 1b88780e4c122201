import { createHash } from 'node:crypto';
import { inputError } from '@vulntune/engine';
import { createDraw } from './draw.ts';
import { drawPair, type FunctionPair, weaknessIds } from './pair.ts';

/** A row in the layout of X1; `synthetic` marks it as generated wherever the file ends up. */
export interface DemoRow {
	readonly idx: number;
	readonly code: string;
	/** 1 vulnerable, 0 fixed */
	readonly target: 0 | 1;
	readonly status: 'VULNERABLE' | 'FIXED';
	/** One made-up commit per pair of a vulnerable function and its fix. */
	readonly commit: string;
	readonly cwe: string;
	readonly function_name: string;
	readonly synthetic: true;
}

export interface DemoDataset {
	readonly train: readonly DemoRow[];
	readonly valid: readonly DemoRow[];
	readonly test: readonly DemoRow[];
}

export interface DemoDatasetOptions {
	readonly seed: number;
	/** Pairs of a vulnerable function and its fix in all splits together, at least 10. */
	readonly pairs: number;
}

const validShare = 0.15;
const testShare = 0.25;

/**
 * Vulnerable Java functions and their fixes, two rows a pair. A pair is never divided over splits, and no two
 * pairs have a function name in common, so a test function never shows up in training. Every split holds all
 * weaknesses in about equal shares, as far as its size allows.
 *
 * @throws VulntuneError `DEMO_PAIRS` if `pairs` is not a whole number from 10 to 5,000
 */
export function generateDemoDataset({ seed, pairs }: DemoDatasetOptions): DemoDataset {
	if (!Number.isInteger(pairs) || pairs < 10 || pairs > 5000) {
		throw inputError('DEMO_PAIRS', `pairs is a whole number from 10 to 5,000, but this one is ${pairs}`, {
			remedy: 'Choose a number such as 300.',
		});
	}
	const validPairs = Math.round(pairs * validShare);
	const testPairs = Math.round(pairs * testShare);
	const sizes = { train: pairs - validPairs - testPairs, valid: validPairs, test: testPairs };
	const names = new Set<string>();
	let idx = 0;

	function rows(split: keyof typeof sizes): DemoRow[] {
		const order = createDraw(seed, `demo/${split}/order`);
		const weaknesses = order.shuffle(weaknessIds.map((_, index) => index));
		const drawn: DemoRow[] = [];
		for (let number = 0; number < sizes[split]; number++) {
			const pair = freshPair(seed, split, number, weaknesses[number % weaknesses.length]!, names);
			const commit = createHash('sha1').update(`${seed}/${split}/${number}`).digest('hex');
			const common = { commit, cwe: pair.cwe, function_name: pair.functionName, synthetic: true } as const;
			drawn.push({ idx: idx++, code: pair.vulnerable, target: 1, status: 'VULNERABLE', ...common });
			drawn.push({ idx: idx++, code: pair.fixed, target: 0, status: 'FIXED', ...common });
		}
		return order.shuffle(drawn);
	}

	return { train: rows('train'), valid: rows('valid'), test: rows('test') };
}

/** A pair whose function name is not taken yet; takes it. */
function freshPair(
	seed: number,
	split: string,
	number: number,
	weakness: number,
	names: Set<string>,
): FunctionPair {
	// There are over 380 names for each weakness and at most 173 pairs, so this ends.
	for (let attempt = 0; ; attempt++) {
		const pair = drawPair(createDraw(seed, `demo/${split}/${number}/${attempt}`), 'dataset', weakness);
		if (names.has(pair.functionName)) continue;
		names.add(pair.functionName);
		return pair;
	}
}
