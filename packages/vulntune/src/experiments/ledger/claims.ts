import { rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runFolder } from '../../run/run-folder.ts';
import { type Holder, isAlive, ownHolder } from '../../run/run-lock.ts';
import { type Ledger, transaction } from './open-ledger.ts';

/** A holder on another machine that has not been heard of for so long is gone. */
export const staleSeconds = 120;

export interface ClaimOptions {
	/** Runs in the order in which they are wanted. */
	readonly runs: readonly string[];
	/** Seconds since 1970: what failed before is tried again. */
	readonly retryBefore: number;
}

export type Claim =
	| { readonly status: 'claimed'; readonly run: string }
	/** Other processes compute what is left. */
	| { readonly status: 'waiting' }
	| { readonly status: 'done' };

export const now = () => Date.now() / 1000;

/**
 * Takes the first run that is left for this process alone: one that nobody has begun, that failed before, or whose process is gone.
 */
export function claimRun(ledger: Ledger, { runs, retryBefore }: ClaimOptions): Claim {
	const { database } = ledger;
	return transaction(database, (): Claim => {
		const select = database.prepare(
			'SELECT status, holder, heartbeat, failed_at, folder FROM runs WHERE id = ?',
		);
		let isWaiting = false;
		for (const run of runs) {
			const row = select.get(run) as unknown as RunRow;
			if (row.status === 'finished') continue;
			if (row.status === 'failed' && (row.failed_at === null || row.failed_at >= retryBefore)) continue;
			if (row.status === 'running') {
				if (!isGone(row)) {
					isWaiting = true;
					continue;
				}
				releaseForeign(ledger, row);
			}
			database
				.prepare(
					`UPDATE runs SET status = 'running', holder = ?, heartbeat = ?, attempts = attempts + 1,
					failed_at = NULL, error_code = NULL, error_message = NULL WHERE id = ?`,
				)
				.run(JSON.stringify(ownHolder()), now(), run);
			return { status: 'claimed', run };
		}
		return isWaiting ? { status: 'waiting' } : { status: 'done' };
	});
}

interface RunRow {
	readonly status: string;
	readonly holder: string | null;
	readonly heartbeat: number | null;
	readonly failed_at: number | null;
	readonly folder: string;
}

/** Whether the process that computes a run is gone, as far as can be seen from here. */
export function isGone({ holder, heartbeat }: Pick<RunRow, 'holder' | 'heartbeat'>): boolean {
	const claimed: Holder = JSON.parse(holder!);
	if (claimed.host !== os.hostname()) return now() - heartbeat! > staleSeconds;
	return !isAlive(claimed);
}

/** The lock in the run's folder can't know that a process of another machine is gone; the ledger, which hears of it, does. */
function releaseForeign({ folder: root }: Ledger, { holder, folder }: RunRow): void {
	const { host }: Holder = JSON.parse(holder!);
	if (host !== os.hostname()) rmSync(runFolder(path.resolve(root, folder)).lock, { force: true });
}

/** Says that this process still computes what it has claimed. */
export function beat({ database }: Ledger): void {
	database
		.prepare("UPDATE runs SET heartbeat = ? WHERE status = 'running' AND holder = ?")
		.run(now(), JSON.stringify(ownHolder()));
}

/** Gives a run back that was interrupted. */
export function releaseRun({ database }: Ledger, run: string): void {
	database
		.prepare(
			"UPDATE runs SET status = 'pending', holder = NULL, heartbeat = NULL WHERE id = ? AND holder = ?",
		)
		.run(run, JSON.stringify(ownHolder()));
}

/** Keeps why a run failed. */
export function failRun(
	{ database }: Ledger,
	run: string,
	error: { readonly code: string; readonly message: string },
): void {
	database
		.prepare(
			`UPDATE runs SET status = 'failed', holder = NULL, heartbeat = NULL, failed_at = ?, error_code = ?,
			error_message = ? WHERE id = ? AND holder = ?`,
		)
		.run(now(), error.code, error.message, run, JSON.stringify(ownHolder()));
}
