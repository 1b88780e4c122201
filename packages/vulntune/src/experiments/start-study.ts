import { existsSync } from 'node:fs';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { startRun } from '../run/run-thread.ts';
import { beat } from './ledger/claims.ts';
import { ledgerError, ledgerFile, openLedger } from './ledger/open-ledger.ts';
import type { StudyEvent, StudyOutcome, StudyRequest } from './run-study.ts';

const beatMilliseconds = 15_000;

/**
 * Runs a study on a thread of its own, and tells the ledger meanwhile that this process is alive.
 *
 * @param interruption aborted: the cell that runs saves a checkpoint, and the study ends
 */
export async function startStudy(
	request: StudyRequest,
	onEvent: (event: StudyEvent) => void,
	interruption?: AbortSignal,
): Promise<StudyOutcome> {
	const timer = setInterval(() => beatOf(request.output), beatMilliseconds);
	try {
		return await startRun<StudyRequest, StudyEvent, StudyOutcome>(
			new URL('./worker.ts', import.meta.url),
			request,
			onEvent,
			interruption,
		);
	} finally {
		clearInterval(timer);
	}
}

/** Says that this process is alive. A beat that fails is missed: the cell that runs says itself what is the matter. */
export function beatOf(folder: string): void {
	if (!existsSync(ledgerFile(folder))) return;
	try {
		const ledger = openLedger(folder);
		try {
			beat(ledger);
		} finally {
			ledger.close();
		}
	} catch (error) {
		if (!(ledgerError(error, folder) instanceof VulntuneError)) throw error;
	}
}
