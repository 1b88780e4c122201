import { expect, it } from 'vitest';
import { killAtRandom } from './kills.ts';
import { createProject } from './project.ts';

/** `npm run nightly` kills 200 times. */
const kills = 20;

it(`ends in the same bytes after ${kills} kills at random moments`, { timeout: 300_000 }, async () => {
	const report = await killAtRandom(createProject(), kills, 1);
	expect(report.kills).toBe(kills);
	// else the moments would say nothing about checkpoints
	expect(report.withCheckpoint).toBeGreaterThan(0);
});
