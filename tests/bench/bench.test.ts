import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { cpuFeatures } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { interleave, median } from '../../bench/interleave.ts';
import { readOptions } from '../../bench/options.ts';
import { benchRow } from '../../bench/row.ts';
import { sections } from '../../bench/sections.ts';
import { forwardOperationsPerToken, smolLm135m } from '../../bench/shapes.ts';
import { startSteps } from '../../bench/steps/child.ts';
import { MIXED_LENGTHS, mixedPacks } from '../../bench/steps/packs.ts';
import { FIRST_ROWS, inReportOrder, targetOf } from '../../bench/targets.ts';

const main = path.resolve(import.meta.dirname, '../../bench/main.ts');

describe('a row', () => {
	const source = { name: 'step', value: 70, unit: 'tokens/s', limit: 100 };
	const ofLimit = { of: 'limit', atLeast: 0.7 } as const;
	const ofPeer = { of: 'peer', atLeast: 2 } as const;

	it('has its ratios to the limit and to the peer', () => {
		const row = benchRow({ ...source, peer: { name: 'other', value: 20 } }, [ofLimit, ofPeer]);
		expect(row).toEqual({
			...source,
			ofLimit: 0.7,
			peer: { name: 'other', value: 20 },
			ofPeer: 3.5,
			target: '>= 0.7 of limit, >= 2 of peer',
			met: true,
		});
	});

	it('is not met where one condition fails, and open where the peer is absent', () => {
		const peerAbsent = 'it is not installed';
		expect(benchRow({ ...source, peerAbsent }, [ofLimit, ofPeer])).toMatchObject({
			met: null,
			peer: null,
			peerAbsent,
		});
		expect(benchRow({ ...source, value: 69, peerAbsent }, [ofLimit, ofPeer]).met).toBe(false);
		expect(benchRow(source, [{ of: 'value', atMost: 60 }]).met).toBe(false);
		expect(benchRow(source)).toMatchObject({ target: null, met: null });
	});

	it('is never above its limit: one that was measured lower was disturbed, and the row says so', () => {
		const row = benchRow({ ...source, value: 104, note: 'in fp32' }, [ofLimit]);
		expect(row).toMatchObject({ limit: 104, ofLimit: 1, limitDisturbed: true, met: null });
		expect(row.note).toBe('in fp32; the limit was measured lower, at 100.0');
		expect(benchRow(source, [])).not.toHaveProperty('note');
		expect(benchRow(source, [])).not.toHaveProperty('limitDisturbed');
	});
});

describe('the targets', () => {
	it('are found by the whole name, the first that fits', () => {
		expect(targetOf('gemm-135m-nf4-forward-576x576-m128')).toEqual([{ of: 'limit', atLeast: 0.7 }]);
		expect(targetOf('gemm-135m-nf4-forward-576x576-m1280')).toEqual([{ of: 'limit', atLeast: 0.8 }]);
		expect(targetOf('gemm-135m-f32-forward-576x576-m128')).toEqual([{ of: 'limit', atLeast: 0.75 }]);
		expect(targetOf('forward-135m-bf16-packed')).toEqual([{ of: 'limit', atLeast: 0.8 }]);
		expect(targetOf('rope-queries')).toEqual([]);
	});

	it('order the rows: the agreed ones first, the others as they were measured', () => {
		const names = ['rope', 'forward-135m-bf16', 'add', 'lora-step-135m-bf16-t512'];
		expect(inReportOrder(names.map((name) => ({ name }))).map(({ name }) => name)).toEqual([
			'lora-step-135m-bf16-t512',
			'forward-135m-bf16',
			'rope',
			'add',
		]);
	});
});

describe('measurements', () => {
	it('take turns, and the median counts', async () => {
		const order: string[] = [];
		const values = { a: [3, 1, 2], b: [10, 40, 20] };
		const cases = (['a', 'b'] as const).map((name) => ({
			name,
			measure() {
				order.push(name);
				return values[name][order.filter((other) => other === name).length - 1]!;
			},
		}));
		const medians = await interleave(cases, 3);
		expect(order.join('')).toBe('ababab');
		expect([...medians]).toEqual([
			['a', 2],
			['b', 20],
		]);
		expect(median([4, 1, 3, 2])).toBe(2.5);
	});

	it('compare a step with 212 MFLOP a token', () => {
		expect(forwardOperationsPerToken(smolLm135m) / 1e6).toBeCloseTo(212.3, 1);
	});
});

describe('the command line', () => {
	it('chooses rows by pattern; optional ones only by name', () => {
		const wants = (...values: string[]) => {
			const options = readOptions(values);
			if (options === 'help') throw new Error('no options');
			return options.wants;
		};
		expect([wants()('gemm-7b', true), wants()('gemm-135m')]).toEqual([false, true]);
		const some = wants('--only', 'gemm-*-nf4,rope');
		expect(['gemm-7b-nf4-x', 'gemm-7b-f32-x', 'rope-queries'].map((name) => some(name, true))).toEqual([
			true,
			false,
			true,
		]);
		const without = wants('--only', 'gemm,!nf4');
		expect(['gemm-f32', 'gemm-nf4', 'rope'].map((name) => without(name))).toEqual([true, false, false]);
		expect([wants('--only', '!rope')('gemm'), wants('--only', '!rope')('rope')]).toEqual([true, false]);
	});

	it('refuses what it does not know', () => {
		expect(() => readOptions(['--fast'])).toThrow(TypeError);
		expect(() => readOptions(['--rounds', '0'])).toThrow('--rounds');
	});
});

describe('the sections', () => {
	const names = sections.flatMap(({ rowNames }) => rowNames);

	it('give every row that a report begins with, each once', () => {
		expect(FIRST_ROWS.filter((name) => !names.includes(name))).toEqual([]);
		expect(new Set(names).size).toBe(names.length);
	});

	it('have a target for every row that a report begins with', () => {
		expect(FIRST_ROWS.filter((name) => targetOf(name).length === 0)).toEqual([]);
	});

	it('run what takes minutes only where it is named', () => {
		const optional = sections.filter((section) => section.optional).flatMap(({ rowNames }) => rowNames);
		expect(optional).toEqual(expect.arrayContaining(['qlora-step-1.5b-nf4-t1024', 'peak-rss-qlora-1.5b']));
		expect(optional.filter((name) => FIRST_ROWS.includes(name))).toEqual([]);
	});
});

describe('mixed lengths', () => {
	it('are all packed, each with its closing token', () => {
		const packs = mixedPacks(512, 100);
		const tokens = packs.reduce((sum, { pack }) => sum + pack.inputIds.length, 0);
		expect(tokens).toBe(MIXED_LENGTHS.reduce((sum, length) => sum + length + 1, 0));
		expect(Math.max(...packs.map(({ pack }) => pack.inputIds.length))).toBeLessThanOrEqual(512);
	});
});

describe('a step process', () => {
	const child = (script: string) => startSteps(process.execPath, ['-e', script]);

	it('answers every line with a step', async () => {
		const steps = await child(`
			console.log('{"ready": "here"}');
			process.stdin.on('data', () => console.log('{"seconds": 2, "tokens": 8, "peakBytes": 1}'));
		`);
		if ('skipped' in steps) throw new Error(steps.skipped);
		expect(steps.description).toBe('here');
		expect(await steps.step()).toEqual({ seconds: 2, tokens: 8, peakBytes: 1 });
		expect(await steps.step()).toEqual({ seconds: 2, tokens: 8, peakBytes: 1 });
		await steps.close();
	});

	it('that ends early says so at the next step, and can still be closed', async () => {
		const steps = await child(`
			console.log('{"ready": "here"}');
			process.stdin.once('data', () => { console.error('Error: no memory'); process.exit(1); });
		`);
		if ('skipped' in steps) throw new Error(steps.skipped);
		await expect(steps.step()).rejects.toThrow('a step process ended early: Error: no memory');
		await steps.close();
	});

	it('is skipped with its reason, or with its last words', async () => {
		expect(await child(`console.log('{"skipped": "torch is not installed"}')`)).toEqual({
			skipped: 'torch is not installed',
		});
		expect(await child(`console.error('no memory'); process.exitCode = 1`)).toEqual({
			skipped: 'it ended at its start: no memory',
		});
		expect(await child(`throw new RangeError('too long')`)).toEqual({
			skipped: 'it ended at its start: RangeError: too long',
		});
		expect(await startSteps('/nonexistent/python', [])).toEqual({
			skipped: expect.stringContaining('ENOENT'),
		});
	});
});

const rowFields = ['name', 'value', 'unit', 'limit', 'ofLimit', 'peer', 'ofPeer', 'target', 'met'];
const noKernels = cpuFeatures().best === undefined;
if (noKernels) console.warn('skipped: the bench of kernels (the native kernels are not built)');

describe.skipIf(noKernels)('npm run bench -- --json', () => {
	it('prints one JSON object with the machine and the rows', () => {
		const output = execFileSync(
			process.execPath,
			[main, '--json', '--only', 'rope,gemm-135m-f32-forward-192*', '--rounds', '1'],
			{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
		);
		const report = JSON.parse(output);
		const peak = report.machine.peaks[report.machine.isa].fp32;
		expect(peak).toBeGreaterThan(0);
		expect(report.rows.map((row: { name: string }) => row.name)).toEqual([
			'gemm-135m-f32-forward-192x576-m128',
			'gemm-135m-f32-forward-192x576-m512',
			'gemm-135m-f32-forward-192x576-m1024',
			'gemm-135m-f32-forward-192x576-m2048',
			'rope-queries',
		]);
		for (const row of report.rows) {
			expect(row.value).toBeGreaterThan(0);
			expect(Object.keys(row)).toEqual(expect.arrayContaining(rowFields));
			if (row.limit !== null) expect(row.value).toBeLessThanOrEqual(row.limit);
			if (row.limit !== null) expect(row.ofLimit).toBeCloseTo(row.value / row.limit, 12);
		}
		expect(Object.keys(report)).toEqual(expect.arrayContaining(['machine', 'rows', 'steps', 'peers']));
	});
});
