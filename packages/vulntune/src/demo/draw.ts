import { philox } from '@vulntune/engine/random/philox.ts';
import { hashStream } from '@vulntune/engine/random/streams.ts';

/** Seeded choices, in sequence: the same (seed, name) gives the same sequence on every machine. */
export interface Draw {
	/** A whole number from 0 to `bound` - 1. */
	below(bound: number): number;
	/** True with the given probability. */
	chance(probability: number): boolean;
	pick<T>(items: readonly T[]): T;
	/** `count` different items (all of them where there are fewer), in random order. */
	sample<T>(items: readonly T[], count: number): T[];
	shuffle<T>(items: readonly T[]): T[];
	/** One of the keys, each as probable as its weight is of all weights. */
	weighted<K extends string>(weights: Readonly<Record<K, number>>): K;
}

/** Choices for one purpose; `name` says for what, so that adding a purpose leaves the others as they were. */
export function createDraw(seed: number, name: string): Draw {
	const key: [number, number] = [seed >>> 0, Math.floor(seed / 2 ** 32)];
	const stream = hashStream(name);
	let block: Uint32Array = new Uint32Array(4);
	let drawn = 0;

	function uniform(): number {
		if (drawn % 4 === 0) block = philox([drawn / 4, stream, 0, 0], key);
		return block[drawn++ % 4]! / 2 ** 32;
	}

	function below(bound: number): number {
		return Math.floor(uniform() * bound);
	}

	function shuffle<T>(items: readonly T[]): T[] {
		const order = [...items];
		for (let last = order.length - 1; last > 0; last--) {
			const other = below(last + 1);
			[order[last], order[other]] = [order[other]!, order[last]!];
		}
		return order;
	}

	return {
		below,
		chance: (probability) => uniform() < probability,
		pick: (items) => items[below(items.length)]!,
		sample: (items, count) => shuffle(items).slice(0, count),
		shuffle,
		weighted(weights) {
			const entries = Object.entries<number>(weights);
			const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
			let rest = uniform() * total;
			for (const [key, weight] of entries) {
				rest -= weight;
				if (rest < 0) return key as keyof typeof weights;
			}
			return entries.at(-1)![0] as keyof typeof weights;
		},
	};
}
