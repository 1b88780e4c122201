import { expect, it } from 'vitest';
import { isNightly } from '../nightly/nightly.ts';
import { killAtRandom } from './kills.ts';
import { createProject } from './project.ts';

const kills = isNightly ? 200 : 20;
const seed = isNightly ? 2 : 1;

it(`ends in the same bytes after ${kills} kills at random moments`, { timeout: kills * 15_000 }, async () => {
	const report = await killAtRandom(createProject(), kills, seed);
	console.info(JSON.stringify(report));
	expect(report.kills).toBe(kills);
	// else the moments would say nothing about checkpoints
	expect(report.withCheckpoint).toBeGreaterThan(0);
});
