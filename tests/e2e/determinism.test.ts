import { readFileSync } from 'node:fs';
import { loadNative } from '@vulntune/engine/backends/cpu/native.ts';
import { describe, expect, it } from 'vitest';
import { vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { resultsOf } from './run-results.ts';
import { vulntuneHere } from './same-process.ts';

const native = loadNative();
if (native.addon === undefined) console.warn(`skipped: runs on the cpu backend (${native.reason})`);

const types = native.addon === undefined ? ['wasm'] : ['cpu', 'wasm'];

describe.each(types)('the same run on the %s backend', (type) => {
	const project = createProject();

	async function run(output: string, threads: number, start = vulntuneHere): Promise<Record<string, string>> {
		const backend = ['--backend', type, '--backend.threads', String(threads)];
		const method = ['--method.type', 'qlora', '--method.base', 'nf4', '--training.precision', 'bf16'];
		const argv = ['train', 'config.yaml', '--output', output, ...backend, ...method];
		const { code, stderr } = await start(argv, { cwd: project.root });
		expect(code, stderr).toBe(0);
		return resultsOf(project.inside(output));
	}

	it('has the same bytes a second time, in another process, and with two threads', async () => {
		const first = await run('first', 1, vulntune);
		expect(await run('second', 1)).toEqual(first);
		expect(await run('threads', 2)).toEqual(first);
	});

	it('tells in its times how long it took to the first step, and nothing of it in its results', () => {
		const lines = readFileSync(project.inside('first/timings.jsonl'), 'utf8').trim().split('\n');
		const [start, firstStep] = lines.map((line) => JSON.parse(line));
		expect(start).toEqual({
			type: 'start',
			seconds: expect.any(Number),
			residentBytes: expect.any(Number),
		});
		expect(firstStep).toMatchObject({ type: 'step', step: 1 });
		expect(readFileSync(project.inside('first/metrics.jsonl'), 'utf8')).not.toContain('start');
	});
});
