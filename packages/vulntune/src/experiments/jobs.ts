import { type ChildProcess, fork } from 'node:child_process';
import os from 'node:os';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import type { StudyEvent, StudyOutcome, StudyRequest } from './run-study.ts';
import { startStudy } from './start-study.ts';

/** What a job's process is told, and what it tells. */
export type JobInput = { readonly type: 'start'; readonly request: StudyRequest } | { readonly type: 'stop' };
export type JobMessage =
	| { readonly type: 'event'; readonly event: StudyEvent }
	| { readonly type: 'outcome'; readonly outcome: StudyOutcome }
	| { readonly type: 'error'; readonly code: string; readonly message: string };

/**
 * Runs a study by several processes at the same time, each of which takes cells from the ledger as any other process would. This one is
 * one of them, and shows what its own cells do; of the others it shows which cells they begin and which fail.
 */
export async function startJobs(
	request: StudyRequest,
	jobs: number,
	onEvent: (event: StudyEvent) => void,
	interruption: AbortSignal,
): Promise<StudyOutcome> {
	if (jobs === 1) return startStudy(request, onEvent, interruption);
	const shared = { ...request, threads: Math.max(1, Math.floor(os.availableParallelism() / jobs)) };
	// what was taken once is in the ledger for all
	const others = Array.from({ length: jobs - 1 }, () =>
		startJob({ ...shared, reuse: [] }, (event) => {
			if (event.type === 'cell' || event.type === 'failed') onEvent(event);
		}),
	);
	const stop = () => {
		for (const { child } of others) if (child.connected) child.send({ type: 'stop' } satisfies JobInput);
	};
	interruption.addEventListener('abort', stop);
	try {
		const outcomes = await Promise.all([
			startStudy(shared, onEvent, interruption),
			...others.map(({ outcome }) => outcome),
		]);
		return outcomes.find(({ status }) => status !== 'ended') ?? outcomes[0]!;
	} finally {
		interruption.removeEventListener('abort', stop);
		for (const { child } of others) if (child.connected) child.disconnect();
	}
}

function startJob(
	request: StudyRequest,
	onEvent: (event: StudyEvent) => void,
): { readonly child: ChildProcess; readonly outcome: Promise<StudyOutcome> } {
	const child = fork(new URL('./job-process.ts', import.meta.url), {
		stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
	});
	const outcome = new Promise<StudyOutcome>((resolve, reject) => {
		child.on('message', (message: JobMessage) => {
			if (message.type === 'event') onEvent(message.event);
			else if (message.type === 'outcome') resolve(message.outcome);
			else reject(new VulntuneError({ code: message.code, kind: 'runtime', message: message.message }));
		});
		child.on('error', reject);
		child.on('exit', (code, signal) => {
			const how = signal ?? `code ${code}`;
			reject(
				new VulntuneError({
					code: 'JOB_ENDED',
					kind: 'runtime',
					message: `one of the processes of --jobs ended early (${how})`,
					remedy:
						'Run the same command again: it goes on where the ledger stands. Fewer --jobs take less memory.',
				}),
			);
		});
	});
	// its end is looked at when this process's own cells are done
	outcome.catch(() => {});
	child.send({ type: 'start', request } satisfies JobInput);
	return { child, outcome };
}
