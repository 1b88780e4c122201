import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { type RunningCommand, startVulntune, vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { expectNoStackTrace } from './refusal.ts';
import { resultsOf } from './run-results.ts';
import { vulntuneHere } from './same-process.ts';
import { until } from './until.ts';

const project = createProject();
const { root: cwd, inside } = project;

/** Ends a run by a signal once it trains; the seconds that it took to end. */
async function interrupt(run: RunningCommand, signal: 'SIGINT' | 'SIGTERM') {
	await run.says('training ');
	const start = performance.now();
	run.child.kill(signal);
	const ended = await run.ended;
	return { ...ended, seconds: (performance.now() - start) / 1000 };
}

describe('a training that gets a signal', () => {
	beforeAll(async () => {
		expect((await vulntune(['train', 'config.yaml', '--output', 'whole'], { cwd })).code).toBe(0);
	});

	it.each(['SIGINT', 'SIGTERM'] as const)('saves at %s and goes on to the same bytes', async (signal) => {
		const argv = ['train', 'config.yaml', '--output', signal];
		const { code, stdout, stderr, seconds } = await interrupt(
			startVulntune([...argv, '--json'], { cwd }),
			signal,
		);
		expect(code).toBe(130);
		expect(seconds).toBeLessThan(10);
		expect(JSON.parse(stdout).error.code).toBe('INTERRUPTED');
		expectNoStackTrace(stderr);
		expect(existsSync(inside(`${signal}/checkpoints`))).toBe(true);
		expect(existsSync(inside(`${signal}/predictions.test.jsonl`))).toBe(false);

		// what the message says to do
		const [, shown] = /vulntune (train .* --resume)$/m.exec(stderr)!;
		expect((await vulntune(shown!.split(' '), { cwd })).code).toBe(0);
		expect(resultsOf(inside(signal))).toEqual(resultsOf(inside('whole')));
	});

	it('saves where its terminal is closed, and goes on to the same bytes with nobody to read', async () => {
		const argv = ['train', 'config.yaml', '--output', 'closed'];
		const run = startVulntune(argv, { cwd });
		await run.says('training ');
		hangUp(run);
		run.child.kill('SIGHUP');
		expect(await run.ended).toMatchObject({ code: 130, signal: null });
		expect(existsSync(inside('closed/checkpoints'))).toBe(true);

		const goingOn = startVulntune([...argv, '--resume'], { cwd });
		await goingOn.says('sequences');
		hangUp(goingOn);
		expect(await goingOn.ended).toMatchObject({ code: 0, signal: null });
		expect(resultsOf(inside('closed'))).toEqual(resultsOf(inside('whole')));
	});

	it('goes on where its folder was moved to', async () => {
		const argv = ['train', 'config.yaml', '--output', 'first-place'];
		expect((await interrupt(startVulntune(argv, { cwd }), 'SIGINT')).code).toBe(130);
		renameSync(inside('first-place'), inside('moved'));
		const resumed = await vulntune(['train', 'moved/config.yaml', '--resume'], { cwd });
		expect(resumed.code, resumed.stderr).toBe(0);
		expect(resultsOf(inside('moved'))).toEqual(resultsOf(inside('whole')));
		expect(existsSync(inside('first-place'))).toBe(false);

		const longer = ['train', 'moved/config.yaml', '--resume', '--training.epochs', '3'];
		const extended = await vulntune(longer, { cwd });
		expect(extended.code, extended.stderr).toBe(0);
		expect(extended.stderr).toContain(
			'epoch 3 is added; the cosine schedule, warm-up included, starts again',
		);
		const metrics = readFileSync(inside('moved/metrics.jsonl'), 'utf8');
		expect(metrics.startsWith(readFileSync(inside('whole/metrics.jsonl'), 'utf8').replace(/.*\n$/, ''))).toBe(
			true,
		);
		expect(metrics).toContain('"type":"epoch","epoch":3');
	});

	it('says so and changes nothing where the run was finished already', async () => {
		const before = resultsOf(inside('whole'));
		const argv = ['train', 'config.yaml', '--output', 'whole', '--resume'];
		const { code, stdout } = await vulntune(argv, { cwd });
		expect(code).toBe(0);
		expect(stdout).toContain('is finished; nothing was changed');
		expect(resultsOf(inside('whole'))).toEqual(before);
	});

	it('keeps its folder from other processes as long as it lives', async () => {
		const argv = ['train', 'config.yaml', '--output', 'held', '--training.epochs', '1000'];
		const run = startVulntune(argv, { cwd });
		await until(() => existsSync(inside('held/metrics.jsonl')));
		// so that it lives as long as this test looks
		run.child.kill('SIGSTOP');
		for (const mode of ['--resume', '--overwrite']) {
			const { code, stderr } = await vulntuneHere([...argv, mode], { cwd });
			expect(code).toBe(2);
			expect(stderr).toContain(`process ${run.child.pid} is computing this run`);
		}
		run.child.kill('SIGCONT');
		run.child.kill('SIGINT');
		expect((await run.ended).code).toBe(130);
		expect(existsSync(inside('held/run.lock'))).toBe(false);
	});

	it('ends at the second one at once, in the middle of a sequence', async () => {
		// one sequence that takes far longer than this test waits
		const long = `void f() { ${'use(a, b); '.repeat(20_000)} }`;
		const rows = [0, 1].map((target) =>
			JSON.stringify({ idx: target, code: `${long} // ${target}`, target }),
		);
		for (const split of ['train', 'valid', 'test']) {
			writeFileSync(inside(`data/${split}.jsonl`), `${rows.join('\n')}\n`);
		}
		const argv = ['train', 'config.yaml', '--output', 'twice', '--sequence.length', '30000'];
		const run = startVulntune([...argv, '--backend', 'reference'], { cwd });
		await until(() => existsSync(inside('twice/timings.jsonl')));
		// its first and only sequence begins
		await setTimeout(1500);
		run.child.kill('SIGINT');
		await run.says('once more to stop at once');
		// what comes within a moment is the same one, sent to several processes
		await setTimeout(600);
		const start = performance.now();
		run.child.kill('SIGINT');
		const { code, stderr } = await run.ended;
		expect(code).toBe(130);
		expect((performance.now() - start) / 1000).toBeLessThan(5);
		expect(stderr).not.toContain('error:');
		expectNoStackTrace(stderr);
		expect(existsSync(path.join(inside('twice'), 'checkpoints'))).toBe(false);
	});
});

/** What `| head -1` does once it has its line. */
function hangUp({ child }: RunningCommand): void {
	child.stdout!.destroy();
	child.stderr!.destroy();
}
