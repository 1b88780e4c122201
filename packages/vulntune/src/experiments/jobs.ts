import { type ChildProcess, fork } from 'node:child_process';
import os from 'node:os';
import type { StudyEvent, StudyOutcome, StudyRequest } from './run-study.ts';
import { startStudy } from './start-study.ts';

/** What a job's process is told, and what it tells. */
export type JobInput = { readonly type: 'start'; readonly request: StudyRequest } | { readonly type: 'stop' };
export type JobMessage =
	| { readonly type: 'event'; readonly event: StudyEvent }
	| { readonly type: 'outcome'; readonly outcome: StudyOutcome }
	| { readonly type: 'error'; readonly code: string; readonly message: string };

/** What computes the jobs: a script for the processes besides this one, and what this one does. Tests have quicker ones. */
export interface JobParts {
	readonly script: URL;
	readonly own: typeof startStudy;
}

const parts: JobParts = { script: new URL('./job-process.ts', import.meta.url), own: startStudy };

/** Threads of the kernels of each of so many processes, where a config leaves them open; null for the config's own choice. */
export function threadsOfJobs(jobs: number): number | null {
	return jobs === 1 ? null : Math.max(1, Math.floor(os.availableParallelism() / jobs));
}

/**
 * Runs a study by several processes at the same time, each of which takes cells from the ledger as any other process would. This one is
 * one of them, and shows what its own cells do; of the others it shows which cells they begin and which fail. Its own end is that of the
 * study, because it takes over what a process leaves that is lost on the way: that is told, and no failure.
 */
export async function startJobs(
	request: StudyRequest,
	jobs: number,
	onEvent: (event: StudyEvent) => void,
	interruption: AbortSignal,
	{ script, own }: JobParts = parts,
): Promise<StudyOutcome> {
	if (jobs === 1) return own(request, onEvent, interruption);
	const shared = { ...request, threads: threadsOfJobs(jobs) };
	const note = (line: string) => onEvent({ type: 'note', line });
	// what was taken once is in the ledger for all
	const others = Array.from({ length: jobs - 1 }, () =>
		startJob(
			script,
			{ ...shared, reuse: [] },
			{
				event(event) {
					if (event.type === 'cell' || event.type === 'failed') onEvent(event);
				},
				lost: (how) =>
					note(`warning: one of the processes of --jobs is gone (${how}); the others take over its cell`),
			},
		),
	);
	const stop = () => {
		for (const { child } of others) if (child.connected) child.send({ type: 'stop' } satisfies JobInput);
	};
	interruption.addEventListener('abort', stop);
	try {
		const outcome = await own(shared, onEvent, interruption);
		for (const fault of await Promise.all(others.map(({ ended }) => ended))) {
			if (fault !== undefined) note(`warning: one of the processes of --jobs failed: ${fault}`);
		}
		return outcome;
	} finally {
		interruption.removeEventListener('abort', stop);
		for (const { child } of others) if (child.connected) child.disconnect();
	}
}

interface Job {
	readonly child: ChildProcess;
	/** What it failed for; undefined where nothing is left to be told. */
	readonly ended: Promise<string | undefined>;
}

interface JobListener {
	readonly event: (event: StudyEvent) => void;
	/** The process is gone without a word: killed by this signal, or ended with this code. */
	readonly lost: (how: string) => void;
}

function startJob(script: URL, request: StudyRequest, listener: JobListener): Job {
	const child = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
	const ended = new Promise<string | undefined>((resolve) => {
		let isTold = false;
		const tell = (fault?: string) => {
			isTold = true;
			resolve(fault);
		};
		child.on('message', (message: JobMessage) => {
			if (message.type === 'event') listener.event(message.event);
			else tell(message.type === 'error' ? message.message : undefined);
		});
		child.on('error', ({ message }) => tell(message));
		// what it has said may arrive after its end
		const end = () => {
			const how = child.signalCode ?? (child.exitCode === null ? undefined : `exit code ${child.exitCode}`);
			if (isTold || how === undefined || child.connected) return;
			listener.lost(how);
			tell();
		};
		child.on('exit', end);
		child.on('disconnect', end);
	});
	child.send({ type: 'start', request } satisfies JobInput);
	return { child, ended };
}
