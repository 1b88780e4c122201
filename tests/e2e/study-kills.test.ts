import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { isNightly } from '../nightly/nightly.ts';
import { createProject } from './project.ts';
import { killStudyAtRandom } from './study-kills.ts';

const kills = isNightly ? 50 : 5;
const seed = isNightly ? 2 : 1;

it(`a study ends in the same ledger after ${kills} kills at random moments`, {
	timeout: kills * 40_000,
}, async () => {
	const project = createProject({ train: 8, valid: 4, test: 6 });
	const grid = 'config: config.yaml\naxes: { training.seed: [1, 2] }\ncells: [{ method.type: ngram }]\n';
	writeFileSync(project.inside('grid.yaml'), grid);
	const report = await killStudyAtRandom(project, 'grid.yaml', kills, seed);
	console.info(JSON.stringify(report));
	expect(report.kills).toBe(kills);
	// else the moments would say nothing about cells
	expect(report.duringCells).toBeGreaterThan(0);
});
