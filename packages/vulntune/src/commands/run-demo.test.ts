import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { runDemo } from './run-demo.ts';

it("leaves somebody's own data and runs alone", async () => {
	const output = mkdtempSync(path.join(os.tmpdir(), 'vulntune-demo-'));
	onTestFinished(() => rmSync(output, { recursive: true }));
	const rows = path.join(output, 'data', 'train.jsonl');
	mkdirSync(path.dirname(rows));
	writeFileSync(rows, 'mine');
	const progress = { update: () => {}, note: () => {}, finish: () => {} };
	const context = { progress, interruption: () => new AbortController().signal };
	const demo = runDemo({ output, seed: 1 }, context);
	await expect(demo).rejects.toMatchObject({ code: 'OUTPUT_TAKEN', place: output });
	expect(readFileSync(rows, 'utf8')).toBe('mine');
});
