import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { expectNoStackTrace } from './refusal.ts';
import { checkpointedSteps, resultsOf } from './run-results.ts';

const { root: cwd, inside } = createProject();
const train = (output: string, ...argv: string[]) => ['train', 'config.yaml', '--output', output, ...argv];

function expectFull({ code, stdout, stderr }: Ended): void {
	expect(code, stderr).toBe(5);
	expect(JSON.parse(stdout).error).toMatchObject({ code: 'DISK_FULL', kind: 'resources' });
	expect(stderr).toContain('there is no space left on the disk');
	expect(stderr).toContain('Free some space');
	expectNoStackTrace(stderr);
}

beforeAll(async () => {
	expect((await vulntune(train('whole'), { cwd })).code).toBe(0);
});

describe('a training that finds no space for a checkpoint', () => {
	it('says so and goes on once there is some', async () => {
		// blocks of 512 bytes: enough for the config and the logs, not for the parameters
		expectFull(await vulntune(train('limited', '--json'), { cwd, prepare: 'ulimit -f 12' }));
		expect(readdirSync(inside('limited/checkpoints'))).toEqual([]);
		expect((await vulntune(train('limited', '--resume'), { cwd })).code).toBe(0);
		expect(resultsOf(inside('limited'))).toEqual(resultsOf(inside('whole')));
	});

	const disk = inside('disk');
	const isMounted = mountSmallDisk(disk, 1);
	afterAll(() => {
		if (isMounted) execFileSync('umount', [disk]);
	});

	it.skipIf(!isMounted)('keeps the checkpoint before on a disk that fills up', async () => {
		const checkpoint = readdirSync(inside('whole/checkpoints')).map((name) =>
			bytesOnDisk(inside(`whole/checkpoints/${name}`)),
		);
		// room for one and a half checkpoints beside the config and the logs
		resize(disk, Math.ceil(1.5 * Math.max(...checkpoint)) + 40 * 1024);
		const output = path.join(disk, 'run');
		expectFull(await vulntune(train(output, '--json'), { cwd }));
		expect(checkpointedSteps(output)).toBeGreaterThan(0);
		resize(disk, 2 ** 24);
		expect((await vulntune(train(output, '--resume'), { cwd })).code).toBe(0);
		expect(resultsOf(output)).toEqual(resultsOf(inside('whole')));
	});
});

/** Mounts a disk in memory; false, with a printed reason, where this user or machine can't. */
function mountSmallDisk(folder: string, mebibytes: number): boolean {
	if (!existsSync(folder)) mkdirSync(folder);
	try {
		execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder], { stdio: 'pipe' });
		return true;
	} catch (error) {
		console.warn(`skipped: a disk that fills up (mount: ${(error as Error).message.split('\n')[0]})`);
		return false;
	}
}

function resize(folder: string, bytes: number): void {
	execFileSync('mount', ['-o', `remount,size=${bytes}`, folder]);
}

/** What the files of a folder take in blocks of 4 KiB. */
function bytesOnDisk(folder: string): number {
	return readdirSync(folder)
		.map((name) => Math.ceil(statSync(path.join(folder, name)).size / 4096) * 4096)
		.reduce((sum, bytes) => sum + bytes, 0);
}

it.skipIf(!existsSync('/dev/full'))('fails where the result has no room in the file of stdout', async () => {
	const { code, stderr } = await vulntune(['--version'], { cwd, prepare: 'exec >/dev/full' });
	expect(code).toBe(5);
	expect(stderr).toContain("error: the result can't be written to stdout: ENOSPC");
});
