import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { type JobParts, startJobs } from './jobs.ts';
import { readCells } from './ledger/cells.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { type ComputeRun, runStudy, type StudyEvent } from './run-study.ts';
import { requestOf, silent, standIn, studyFolder } from './testing/study-folder.ts';

const { inside, write } = studyFolder();
const grid = write('seeds.yaml', 'config: config.yaml\naxes: { training.seed: [1, 2] }\n');
const script = (name: string, body: string) =>
	pathToFileURL(write(`${name}.mjs`, `process.on('message', () => { ${body} });`));

/** Runs two jobs, the other of which is a script, and tells what they came to. */
async function jobsWith(other: URL, compute: ComputeRun, name: string) {
	const notes: string[] = [];
	const onEvent = (event: StudyEvent) => {
		if (event.type === 'note') notes.push(event.line);
	};
	const own: JobParts['own'] = (request) => runStudy(request, silent, compute);
	const request = requestOf(grid, inside(name));
	const outcome = await startJobs(request, 2, onEvent, new AbortController().signal, { script: other, own });
	const ledger = openLedger(request.output);
	const statuses = readCells(ledger).map(({ status }) => status);
	ledger.close();
	return { outcome, notes, statuses };
}

it('a process of --jobs that is killed is told, and fails nothing where every cell is finished', async () => {
	const killed = script('killed', "process.kill(process.pid, 'SIGKILL')");
	const { outcome, notes, statuses } = await jobsWith(killed, standIn([]), 'killed');
	expect(outcome).toMatchObject({ status: 'ended', failed: 0 });
	expect(notes).toEqual([
		'warning: one of the processes of --jobs is gone (SIGKILL); the others take over its cell',
	]);
	expect(statuses).toEqual(['finished', 'finished']);
});

it('a process of --jobs that fails is told in its own words, one that says its outcome not at all', async () => {
	const say = (message: object) => `process.send(${JSON.stringify(message)}); process.disconnect();`;
	const failing = script('failing', say({ type: 'error', code: 'DISK_FULL', message: 'no space left' }));
	expect((await jobsWith(failing, standIn([]), 'failing')).notes).toEqual([
		'warning: one of the processes of --jobs failed: no space left',
	]);
	const ended = script('ended', say({ type: 'outcome', outcome: { status: 'ended' } }));
	expect((await jobsWith(ended, standIn([]), 'ended')).notes).toEqual([]);
});

it('the failure of a cell is the study’s, whatever became of the other processes', async () => {
	const killed = script('killed', "process.kill(process.pid, 'SIGKILL')");
	const compute: ComputeRun = (config, mode, own) => {
		if (config.training.seed === 2) throw new Error('broken');
		return standIn([])(config, mode, own);
	};
	const { outcome, statuses } = await jobsWith(killed, compute, 'failed');
	expect(outcome).toMatchObject({ failed: 1 });
	expect(statuses).toEqual(['finished', 'failed']);
});
