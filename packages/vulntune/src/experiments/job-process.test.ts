import { fork } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { requestOf, studyFolder } from './testing/study-folder.ts';

const { inside, write } = studyFolder();

it('a job whose parent is gone ends quietly', async () => {
	const grid = write('seeds.yaml', 'config: config.yaml\naxes: { training.seed: [1] }\n');
	const child = fork(new URL('./job-process.ts', import.meta.url), {
		stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
	});
	const end = once(child, 'exit');
	const said = text(child.stderr!);
	child.send({ type: 'start', request: requestOf(grid, inside('orphan')) }, () => child.disconnect());
	expect(await said).toBe('');
	expect(await end).toEqual([0, null]);
});
