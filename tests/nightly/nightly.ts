/** Whether the long versions of tests are asked for: `npm run nightly`. */
export const isNightly = process.env.VULNTUNE_NIGHTLY === '1';

/** Another one every night; VULNTUNE_SEED repeats a night that failed. */
const nightlySeed = Number(process.env.VULNTUNE_SEED ?? Date.now() % 2 ** 31);

/** How often something is drawn: a few times in the suite, many times at night. */
interface Counts {
	readonly suite: number;
	readonly nightly: number;
}

/** Seeds for what a test draws: the same few in every run of the suite, other ones every night. */
export function seedsFor(name: string, { suite, nightly }: Counts): number[] {
	if (!isNightly) return Array.from({ length: suite }, (_, i) => i + 1);
	console.info(`${name}: VULNTUNE_SEED=${nightlySeed}`);
	return Array.from({ length: nightly }, (_, i) => nightlySeed + i);
}

/** The parameters of a property: `fc.assert(property, runsOf({ suite: 2000, nightly: 100_000, seed: 3 }))`. */
export function runsOf({ suite, nightly, seed }: Counts & { readonly seed: number }): {
	numRuns: number;
	seed: number;
} {
	if (!isNightly) return { numRuns: suite, seed };
	console.info(`VULNTUNE_SEED=${nightlySeed}`);
	return { numRuns: nightly, seed: nightlySeed };
}
