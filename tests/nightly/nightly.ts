/** Whether the long versions of tests are asked for: `npm run nightly`. */
export const isNightly = process.env.VULNTUNE_NIGHTLY === '1';

/**
 * Seeds for what a test draws: the same few in every run of the suite, other and many ones every night. VULNTUNE_SEED repeats
 * a night that failed.
 */
export function seedsFor(
	name: string,
	counts: { readonly suite: number; readonly nightly: number },
): number[] {
	if (!isNightly) return Array.from({ length: counts.suite }, (_, i) => i + 1);
	const first = Number(process.env.VULNTUNE_SEED ?? Date.now() % 2 ** 31);
	console.info(`${name}: VULNTUNE_SEED=${first}`);
	return Array.from({ length: counts.nightly }, (_, i) => first + i);
}
