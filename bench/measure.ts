import { median } from './interleave.ts';

/** Measurements that are compared with each other: taken by turns, so that a change of the clock meets all of them. */
export interface Bench {
	/** `work` returns how much it did: floating-point operations, bytes, tokens. */
	add(name: string, work: () => number): void;
	/** Work per second of each, the median over as many rounds as fit `seconds`, at least five or as many as asked. */
	run(seconds: number, rounds?: number): Map<string, number>;
}

export function createBench(): Bench {
	const works = new Map<string, () => number>();
	return {
		add: (name, work) => works.set(name, work),
		run(seconds, rounds = 5) {
			const rates = new Map<string, number[]>();
			for (const [name, work] of works) {
				work(); // fills caches and wakes threads
				rates.set(name, []);
			}
			const end = performance.now() + 1000 * seconds;
			for (let round = 0; round < rounds || performance.now() < end; round++) {
				for (const [name, work] of works) {
					const start = performance.now();
					const done = work();
					rates.get(name)!.push((1000 * done) / (performance.now() - start));
				}
			}
			return new Map([...rates].map(([name, samples]) => [name, median(samples)]));
		},
	};
}
