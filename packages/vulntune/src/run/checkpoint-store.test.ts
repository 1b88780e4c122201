import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadNewestCheckpoint, saveCheckpoint } from './checkpoint-store.ts';

vi.mock('node:fs', async (importActual) => {
	const actual = await importActual<typeof import('node:fs')>();
	return { ...actual, rmSync: vi.fn(actual.rmSync) };
});

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-checkpoints-'));
	vi.mocked(rmSync).mockClear();
});
afterEach(() => rmSync(folder, { recursive: true }));

const filesOf = (text: string) => new Map([['state.json', Buffer.from(text)]]);
const newest = (warn = (message: string): void => expect.fail(message)) =>
	loadNewestCheckpoint(folder, warn)?.files.get('state.json')?.toString();

describe('checkpoints', () => {
	it('are loaded as they were saved, the newest first, and all but two are removed', () => {
		for (const step of [1, 2, 3]) saveCheckpoint(folder, `step-${step}`, filesOf(`state ${step}`));
		expect(newest()).toBe('state 3');
		expect(readdirSync(folder).toSorted()).toEqual(['step-2', 'step-3']);
	});

	it('of one state that is saved again and again stand side by side, in order', () => {
		for (let time = 1; time <= 12; time++) {
			saveCheckpoint(folder, 'step-1', filesOf(`time ${time}`));
			expect(newest()).toBe(`time ${time}`);
		}
		saveCheckpoint(folder, 'step-2', filesOf('next'));
		expect(newest()).toBe('next');
	});

	it('are never half removed under a name that could be loaded', () => {
		for (const step of [1, 2, 2, 3, 4]) saveCheckpoint(folder, `step-${step}`, filesOf('state'));
		const removed = vi.mocked(rmSync).mock.calls.map(([name]) => path.basename(String(name)));
		expect(removed).toHaveLength(3);
		for (const name of removed) expect(name).toMatch(/\.partial$/);
	});

	it('that were damaged make room for those of a run that went on from an older one', () => {
		for (const step of [7, 8]) saveCheckpoint(folder, `step-${step}`, filesOf('long enough'));
		for (const name of readdirSync(folder)) truncateSync(path.join(folder, name, 'state.json'), 3);
		const warnings: string[] = [];
		expect(newest((message) => void warnings.push(message))).toBeUndefined();
		expect(warnings).toHaveLength(2);
		saveCheckpoint(folder, 'step-1', filesOf('anew'));
		expect(newest()).toBe('anew');
		expect(readdirSync(folder)).toEqual(['step-1']);
	});
});
