import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { hashStream, uniform } from '@vulntune/engine';
import { expect } from 'vitest';
import { startVulntune, vulntune } from './command-line.ts';
import type { Project } from './project.ts';
import { checkpointedSteps, loggedSteps, resultsOf } from './run-results.ts';

/** What came of the kills, to be printed. */
export interface KillReport {
	readonly kills: number;
	/** Runs that came to their end in between, each with the bytes of the uninterrupted one. */
	readonly finishedRuns: number;
	/** Kills after which there was a checkpoint to go on from. */
	readonly withCheckpoint: number;
}

/**
 * Kills a training (SIGKILL) at random moments, going on with `--resume` each time. After every kill all checkpoints
 * must be whole and at most one interval may be lost; every run must end in the bytes of one that nobody killed.
 *
 * Every other kill is timed from the first sequence instead of the start of the process, half of which is loading.
 *
 * @param seed of the moments
 */
export async function killAtRandom(project: Project, kills: number, seed: number): Promise<KillReport> {
	const { root: cwd, inside } = project;
	const started = performance.now();
	expect((await vulntune(['train', 'config.yaml', '--output', 'whole'], { cwd })).code).toBe(0);
	const seconds = (performance.now() - started) / 1000;
	const whole = resultsOf(inside('whole'));

	const output = inside('killed');
	const argv = ['train', 'config.yaml', '--output', output, '--resume'];
	const checkFinished = () => {
		expect(resultsOf(output)).toEqual(whole);
		expectNoRemains(output);
		rmSync(output, { recursive: true });
	};
	let [done, finishedRuns, withCheckpoint] = [0, 0, 0];
	for (let attempt = 0; done < kills; attempt++) {
		expect(attempt).toBeLessThan(20 * kills);
		const run = startVulntune(argv, { cwd });
		const share = uniform(seed, hashStream('kills'), attempt);
		if (attempt % 2 === 1) await run.says('training ').catch(() => undefined);
		const delay = attempt % 2 === 1 ? (share * seconds) / 4 : share * seconds;
		const timer = setTimeout(() => run.child.kill('SIGKILL'), 1000 * delay);
		const { code, signal, stderr } = await run.ended;
		clearTimeout(timer);
		if (signal === 'SIGKILL') {
			done += 1;
			if (!existsSync(output)) continue;
			const steps = checkpointedSteps(output);
			// a checkpoint follows every step
			expect(loggedSteps(output) - steps).toBeLessThanOrEqual(1);
			if (steps > 0) withCheckpoint += 1;
		} else {
			expect(code, stderr).toBe(0);
			finishedRuns += 1;
			checkFinished();
		}
	}
	expect((await vulntune(argv, { cwd })).code).toBe(0);
	checkFinished();
	return { kills: done, finishedRuns: finishedRuns + 1, withCheckpoint };
}

/** A finished run has no half-written files or folders of the processes that were killed. */
function expectNoRemains(output: string): void {
	const names = readdirSync(output, { recursive: true, encoding: 'utf8' });
	expect(names.filter((name) => path.basename(name).includes('.partial'))).toEqual([]);
}
