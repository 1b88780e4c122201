/** An older Node starts the clone's own: what the user sends it reaches that one, and its end is that one's too. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type RunningCommand, startVulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { until } from './until.ts';

const { root: cwd, inside } = createProject();

/** Makes a Node say that it is one which the program does not run on. */
const older =
	"data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.0.0'}})";

async function trainOnOldNode(output: string): Promise<RunningCommand> {
	const argv = ['train', 'config.yaml', '--output', output, '--training.epochs', '1000'];
	const run = startVulntune(argv, { cwd, nodeOptions: ['--import', older] });
	await until(() => existsSync(inside(`${output}/metrics.jsonl`)));
	return run;
}

/** The process that computes a run. */
const holderOf = (output: string) =>
	JSON.parse(readFileSync(inside(`${output}/run.lock`), 'utf8')).pid as number;

describe('the program on an older Node', () => {
	it('saves at a signal that it alone gets', async () => {
		const run = await trainOnOldNode('alone');
		expect(holderOf('alone')).not.toBe(run.child.pid);
		run.child.kill('SIGINT');
		expect(await run.ended).toMatchObject({ code: 130, signal: null });
		expect(existsSync(inside('alone/checkpoints'))).toBe(true);
	});

	it('saves where both of its processes get one, as at the end of a job', async () => {
		const run = await trainOnOldNode('both');
		process.kill(holderOf('both'), 'SIGTERM');
		run.child.kill('SIGTERM');
		expect(await run.ended).toMatchObject({ code: 130, signal: null });
		expect(existsSync(inside('both/checkpoints'))).toBe(true);
	});

	it('saves and leaves nothing behind where it is killed', async () => {
		const run = await trainOnOldNode('killed');
		run.child.kill('SIGKILL');
		// both hold the other end of what this test reads
		expect(await run.ended).toMatchObject({ code: null, signal: 'SIGKILL' });
		expect(existsSync(inside('killed/checkpoints'))).toBe(true);
		expect(existsSync(inside('killed/run.lock'))).toBe(false);
		// it was stopped: it would have computed to its end unseen
		expect(readFileSync(inside('killed/metrics.jsonl'), 'utf8')).not.toContain('"type":"end"');
	});

	it('ends as its child does', async () => {
		const run = startVulntune(['doctor', '--nonsense'], { cwd, nodeOptions: ['--import', older] });
		expect((await run.ended).code).toBe(2);
		const killed = await trainOnOldNode('child');
		process.kill(holderOf('child'), 'SIGKILL');
		expect((await killed.ended).code).toBe(4);
	});
});
