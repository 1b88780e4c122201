import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { formatPredictions } from './predictions.ts';
import { checkPredictionsOutput } from './predictions-output.ts';

const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-output-'));
afterAll(() => rmSync(root, { recursive: true }));

function write(name: string, text: string | Uint8Array): string {
	const file = path.join(root, name);
	writeFileSync(file, text);
	return file;
}

const predictions = formatPredictions([
	{ id: 1, label: 1, probability: 0.25, commit: 'c', cwe: 'CWE-20', functionName: 'f', threshold: 0.5 },
	{ id: 2, label: 0, probability: null, missing: 'too long' },
]);

describe('where predictions are written', () => {
	it('is a new file, an empty one or earlier predictions', () => {
		expect(() => checkPredictionsOutput(path.join(root, 'new.jsonl'))).not.toThrow();
		expect(() => checkPredictionsOutput(write('empty.jsonl', ''))).not.toThrow();
		expect(() => checkPredictionsOutput(write('earlier.jsonl', predictions))).not.toThrow();
		const unscored = predictions.split('\n')[1]!;
		expect(() => checkPredictionsOutput(write('unscored.jsonl', unscored))).not.toThrow();
	});

	it('is never what a run or a cross-validation keeps of itself', () => {
		for (const [record, name] of [
			['environment.json', 'predictions.test.jsonl'],
			['environment.json', 'predictions.valid.jsonl'],
			['cross-validation.json', 'predictions.oof.2.jsonl'],
		] as const) {
			const folder = mkdtempSync(path.join(root, 'run-'));
			const file = path.join(folder, name);
			writeFileSync(file, predictions);
			expect(() => checkPredictionsOutput(file)).not.toThrow();
			writeFileSync(path.join(folder, record), '{}');
			expect(() => checkPredictionsOutput(file)).toThrow(/keeps its own predictions/);
			expect(() => checkPredictionsOutput(path.join(folder, 'predictions.train.jsonl'))).not.toThrow();
		}
	});

	it.each([
		['config.yaml', 'model: base\n'],
		['adapter_config.json', '{\n\t"r": 8\n}\n'],
		['adapter_model.safetensors', Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 123, 125)],
		['metrics.jsonl', '{"type":"step","step":1}\n'],
		['test.jsonl', '{"id":1,"code":"f","label":0}\n'],
		['with-code.jsonl', '{"id":1,"label":0,"probability":0.5,"code":"f"}\n'],
		['baselines.test.jsonl', '{"id":1,"length":0.5}\n'],
		['list.json', '[1]'],
		['null.json', 'null'],
	])('is no file such as %s, which they would replace', (name, content) => {
		const file = write(name, content);
		const refusal = { code: 'OUTPUT_TAKEN', place: file };
		expect(() => checkPredictionsOutput(file)).toThrow(expect.objectContaining(refusal));
	});

	it.runIf(process.platform === 'linux')('is no place where nothing can be written', () => {
		const refusal = { place: '/proc/self/p.jsonl', message: expect.stringContaining('cannot be written') };
		expect(() => checkPredictionsOutput('/proc/self/p.jsonl')).toThrow(expect.objectContaining(refusal));
	});

	it('is no folder, no link and no device', () => {
		mkdirSync(path.join(root, 'folder'));
		symlinkSync(write('target.jsonl', predictions), path.join(root, 'link'));
		symlinkSync('nowhere', path.join(root, 'dangling'));
		const faults = [
			[path.join(root, 'folder'), 'a folder'],
			[path.join(root, 'link'), 'a symbolic link'],
			[path.join(root, 'dangling'), 'a symbolic link'],
			['/dev/full', 'a device'],
			[path.join(root, 'absent/p.jsonl'), 'its folder is not there'],
		] as const;
		for (const [file, fault] of faults.filter(
			([file]) => file !== '/dev/full' || process.platform === 'linux',
		)) {
			const refusal = { code: 'OUTPUT_NOT_FILE', message: expect.stringContaining(fault) };
			expect(() => checkPredictionsOutput(file)).toThrow(expect.objectContaining(refusal));
		}
		expect(readFileSync(path.join(root, 'link'), 'utf8')).toBe(predictions);
	});
});
