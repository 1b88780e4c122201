import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdRun, refuseHeldRun } from './run-lock.ts';

let root: string;
let lock: string;
beforeEach(() => {
	root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-lock-'));
	lock = path.join(root, 'run.lock');
});
afterEach(() => rmSync(root, { recursive: true }));

const here = { host: os.hostname(), startTime: null };
const writeLock = (holder: object) => writeFileSync(lock, JSON.stringify(holder));

function expectTakenOver(): void {
	expect(() => refuseHeldRun(lock)).not.toThrow();
	const release = holdRun(lock);
	expect(JSON.parse(readFileSync(lock, 'utf8')).pid).toBe(process.pid);
	release();
	expect(readdirSync(root)).toEqual([]);
}

describe('the lock of a run folder', () => {
	it('is there once, until it is let go of', () => {
		const release = holdRun(lock);
		const refusal = { code: 'RUN_HELD', place: root, message: expect.stringContaining(`${process.pid}`) };
		for (const claim of [holdRun, refuseHeldRun]) {
			expect(() => claim(lock)).toThrow(expect.objectContaining(refusal));
		}
		release();
		expect(existsSync(lock)).toBe(false);
		expectTakenOver();
	});

	it('of another process that lives stays as it is', () => {
		writeLock({ ...here, pid: process.ppid });
		const before = readFileSync(lock, 'utf8');
		const remedy = expect.stringContaining(`kill ${process.ppid}`);
		expect(() => holdRun(lock)).toThrow(expect.objectContaining({ code: 'RUN_HELD', remedy }));
		expect(readFileSync(lock, 'utf8')).toBe(before);
	});

	it('of another machine stays, and its removal is named', () => {
		// there is none of this number here
		writeLock({ pid: 2 ** 30, host: 'elsewhere', startTime: null });
		const refusal = {
			...{ code: 'RUN_HELD', message: expect.stringContaining(`process ${2 ** 30} on elsewhere`) },
			remedy: expect.stringContaining('remove run.lock'),
		};
		expect(() => holdRun(lock)).toThrow(expect.objectContaining(refusal));
	});

	it('is taken over where its process is gone', () => {
		const { pid } = spawnSync(process.execPath, ['--version']);
		writeLock({ ...here, pid });
		expectTakenOver();
	});

	it.runIf(process.platform === 'linux')('is taken over where another process has the number now', () => {
		writeLock({ ...here, pid: process.ppid, startTime: '1' });
		expectTakenOver();
	});

	it('is taken over where it names no process, as a loss of power leaves it', () => {
		for (const text of ['', 'null', '{"pid": -1}']) {
			writeFileSync(lock, text);
			expectTakenOver();
		}
	});
});
