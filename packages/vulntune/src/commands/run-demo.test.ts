import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { nextCommands, runDemo } from './run-demo.ts';

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

it('ends with commands in columns, whose config is there', () => {
	const lines = nextCommands('runs/a-long-name-of-a-folder', os.tmpdir());
	const starts = lines.map((line) => /^ {2}vulntune \S.*? {2,}(?=\S)/.exec(line)?.[0].length);
	expect(new Set(starts).size).toBe(1);
	const config = /train (\S+) --dry-run/.exec(lines[1]!)![1]!;
	expect(existsSync(path.resolve(os.tmpdir(), config))).toBe(true);
});
