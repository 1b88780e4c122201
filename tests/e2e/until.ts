import { setTimeout } from 'node:timers/promises';

/** Looks again and again until it is so; the test's own time limit ends it. */
export async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await setTimeout(20);
}
