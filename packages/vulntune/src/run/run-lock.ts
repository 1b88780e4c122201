import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { inputError } from '@vulntune/engine';

/** The process that computes a run, as the lock file in its folder names it. */
export interface Holder {
	readonly pid: number;
	readonly host: string;
	/** What tells it from a later process of the same number; null where the system doesn't say. */
	readonly startTime: string | null;
}

/** Throws RUN_HELD where a living process computes the run. */
export function refuseHeldRun(lock: string): void {
	const holder = parseHolder(textOf(lock));
	if (holder !== undefined && isAlive(holder)) throw heldBy(holder, lock);
}

/**
 * Holds a run folder for this process by a lock file that only one can make. The lock of a process that is gone, killed before it
 * could remove it, is taken over.
 *
 * @returns what lets go of the folder
 * @throws VulntuneError RUN_HELD where a living process holds it, another run of this process included
 */
export function holdRun(lock: string): () => void {
	while (!makeLock(lock)) removeAbandoned(lock);
	return () => rmSync(lock, { force: true });
}

/** This process as a holder. */
export function ownHolder(): Holder {
	const { pid } = process;
	return { pid, host: os.hostname(), startTime: statusOf(pid)?.startTime ?? null };
}

/** Whether there was none. */
function makeLock(lock: string): boolean {
	let descriptor: number;
	try {
		descriptor = openSync(lock, 'wx');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
		throw error;
	}
	try {
		writeFileSync(descriptor, `${JSON.stringify(ownHolder())}\n`);
		fsyncSync(descriptor);
	} catch (error) {
		rmSync(lock, { force: true });
		throw error;
	} finally {
		closeSync(descriptor);
	}
	return true;
}

function removeAbandoned(lock: string): void {
	const seen = textOf(lock);
	refuseHeldRun(lock);
	const aside = `${lock}.${process.pid}-${randomBytes(4).toString('hex')}.partial`;
	try {
		renameSync(lock, aside);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
		throw error;
	}
	// another process may have taken it over meanwhile: then it is that one's
	if (textOf(aside) === seen) rmSync(aside);
	else renameSync(aside, lock);
}

function textOf(lock: string): string | undefined {
	try {
		return readFileSync(lock, 'utf8');
	} catch {
		return undefined;
	}
}

/** undefined where a loss of power left nothing that names a process. */
function parseHolder(text: string | undefined): Holder | undefined {
	try {
		const { pid, host, startTime } = JSON.parse(text ?? '');
		// 0 and negative numbers stand for groups of processes
		return Number.isInteger(pid) && pid > 0 ? { pid, host, startTime } : undefined;
	} catch {
		return undefined;
	}
}

/** Whether the process runs, as far as can be seen from here: those of another machine are taken to. */
export function isAlive({ pid, host, startTime }: Holder): boolean {
	// nothing can be seen of another machine's processes
	if (host !== os.hostname()) return true;
	try {
		process.kill(pid, 0);
	} catch (error) {
		// EPERM: it is another user's
		if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
	}
	const status = statusOf(pid);
	if (status === undefined) return true;
	const isZombie = status.state === 'Z';
	return !isZombie && (startTime === null || startTime === status.startTime);
}

/** What Linux says of a process; undefined on other systems. */
function statusOf(pid: number): { readonly state: string; readonly startTime: string } | undefined {
	const text = textOf(`/proc/${pid}/stat`);
	if (text === undefined) return undefined;
	// behind the program's name, which may hold blanks and brackets itself: fields 3 to 52 of proc(5), of which 22 is the start
	const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
	return { state: fields[0]!, startTime: fields[19]! };
}

function heldBy({ pid, host }: Holder, lock: string): Error {
	const isHere = host === os.hostname();
	const remedy = isHere
		? `Wait until it ends or stop it (kill ${pid}), or choose another --output.`
		: `Wait until it ends, or choose another --output. If it is gone, remove ${path.basename(lock)}.`;
	return inputError('RUN_HELD', `process ${pid}${isHere ? '' : ` on ${host}`} is computing this run`, {
		place: path.dirname(lock),
		remedy,
	});
}
