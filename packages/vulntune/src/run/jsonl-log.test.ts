import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openJsonlLog } from './jsonl-log.ts';

function temporaryLog(): string {
	const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-log-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	return path.join(folder, 'metrics.jsonl');
}

it('is cut to where the checkpoint stands, and goes on there', () => {
	const file = temporaryLog();
	writeFileSync(file, '{"step":1}\n{"step":2}\n');
	const log = openJsonlLog(file, 11);
	log.append({ step: 3 });
	expect(log.flush()).toBe(22);
	log.close();
	expect(readFileSync(file, 'utf8')).toBe('{"step":1}\n{"step":3}\n');
});

it.each(['{"step":1}\n', undefined])('is refused, and left as it is, where it lacks lines: %j', (text) => {
	const file = temporaryLog();
	if (text !== undefined) writeFileSync(file, text);
	expect(() => openJsonlLog(file, 22)).toThrow(expect.objectContaining({ code: 'RUN_DAMAGED', place: file }));
	if (text !== undefined) expect(readFileSync(file, 'utf8')).toBe(text);
});
