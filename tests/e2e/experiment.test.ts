/** `vulntune experiment` from its command line to its tables, in processes of its own and in this one. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { resultsOf } from './run-results.ts';
import { vulntuneHere } from './same-process.ts';

const { root: cwd, inside } = createProject({ train: 8, valid: 4, test: 6 });
const grid = `config: config.yaml
axes: { training.seed: [1, 2], method.rank: [2, 4] }
exclude: [{ training.seed: 2, method.rank: 4 }]
cells: [{ name: grams, method.type: ngram }]
`;
const here = async (...argv: string[]) => vulntuneHere(['experiment', ...argv], { cwd });
const json = async (...argv: string[]) => {
	const { stdout, stderr } = await here(...argv, '--json');
	expect(stdout, stderr).toMatch(/^\{/);
	return JSON.parse(stdout);
};
const runs = (study: string) => readdirSync(inside(`${study}/runs`)).toSorted();

describe('vulntune experiment', () => {
	beforeAll(async () => {
		writeFileSync(inside('grid.yaml'), grid);
		const argv = [
			'experiment',
			'run',
			'grid.yaml',
			'--output',
			'study',
			'--jobs',
			'2',
			'--training.epochs',
			'1',
		];
		const { code, stderr, stdout } = await vulntune(argv, { cwd });
		expect(code, stderr).toBe(0);
		expect(stdout).toMatch(/4 cells: 4 finished\./);
		for (const name of ['seed=1, rank=2', 'seed=1, rank=4', 'seed=2, rank=2', 'grams']) {
			expect(stderr.match(new RegExp(`of 4 finished\\): ${name}$`, 'gm'))).toHaveLength(1);
		}
	});

	it('runs nothing again, and each cell as train would', async () => {
		const before = runs('study').map((run) => resultsOf(inside(`study/runs/${run}`)));
		const argv = ['run', 'grid.yaml', '--output', 'study', '--training.epochs', '1'];
		const { code, stderr } = await here(...argv);
		expect(code).toBe(0);
		expect(stderr).not.toContain('of 4 finished');
		expect(runs('study').map((run) => resultsOf(inside(`study/runs/${run}`)))).toEqual(before);
		const train = [
			'train',
			'config.yaml',
			'--training.epochs',
			'1',
			'--method.rank',
			'4',
			'--output',
			'alone',
		];
		expect((await vulntuneHere(train, { cwd })).code).toBe(0);
		const { run } = await json('show', 'study', 'seed=1, rank=4');
		expect(resultsOf(inside(`study/runs/${run.slice(0, 16)}`))).toEqual(resultsOf(inside('alone')));
	});

	it('plans what is left, and writes nothing', async () => {
		const flags = ['--training.epochs', '1', '--dry-run'];
		const plan = await json('run', 'grid.yaml', '--output', 'study', ...flags);
		expect(plan.cells.map(({ finished }: { finished: boolean }) => finished)).toEqual([
			true,
			true,
			true,
			true,
		]);
		const fresh = await json('run', 'grid.yaml', '--output', 'nothing', ...flags);
		expect(fresh.cells[0]).toMatchObject({ cell: 0, name: 'seed=1, rank=2', error: null });
		expect(fresh.cells[0].memoryBytes).toBeGreaterThan(0);
		expect(fresh.seconds).toBeGreaterThan(0);
		expect(existsSync(inside('nothing'))).toBe(false);
		const text = (await here('run', 'grid.yaml', '--output', 'nothing', ...flags)).stdout;
		expect(text).toMatch(/^0 {2}seed=1, rank=2 +<?\d.* left$/m);
	});

	it('plans cells that would fail as a part that is missing', async () => {
		const flags = ['--data.sample', '{ P3: 0.5 }', '--dry-run'];
		const { code, stdout } = await here('run', 'grid.yaml', '--output', 'nothing', ...flags);
		expect(stdout).toMatch(/^Cell 0: .*P3/m);
		expect(code).toBe(3);
	});

	it('shows, compares and exports', async () => {
		const status = await json('status', 'study');
		expect(status.counts).toEqual({ pending: 0, running: 0, finished: 4, failed: 0 });
		expect((await here('status', 'study')).stdout).toContain('4 cells: 4 finished.');
		const comparison = await json('compare', 'study', '0', '1');
		expect(comparison).toMatchObject({
			functions: 6,
			a: { cell: 'seed=1, rank=2' },
			b: { cell: 'seed=1, rank=4' },
		});
		expect(comparison.rocAuc.value).toBeCloseTo(
			status.cells[0].rocAuc.value - status.cells[1].rocAuc.value,
			12,
		);
		const { stdout } = await here('export', 'study', '--format', 'csv');
		const [head, ...lines] = stdout.trim().split('\n');
		expect(head).toBe(
			'cell,name,status,training.seed,method.rank,method.type,rocAuc,rocAucLow,rocAucHigh,f1,f1Low,f1High,seconds,peakBytes',
		);
		expect(lines.map((line) => /^(.*finished(,[^,]*){3}),/.exec(line)![1])).toEqual([
			...['0,"seed=1, rank=2",finished,1,2,lora', '1,"seed=1, rank=4",finished,1,4,lora'],
			...['2,"seed=2, rank=2",finished,2,2,lora', '3,grams,finished,1,,ngram'],
		]);
		expect((await here('export', 'study', '--format', 'parquet')).code).toBe(2);
		expect((await here('export', 'study', '--format', 'parquet', '--output', 'study.parquet')).code).toBe(0);
		expect(existsSync(inside('study.parquet'))).toBe(true);
		expect((await here('show', 'study', '3')).stdout).toContain('type: ngram');
		const shown = (await here('show', 'study', '0')).stdout;
		expect(shown).toMatch(/of training and validation, .* of memory at most, epoch \d of \d was kept\.$/m);
		expect(shown).toMatch(/^average precision ↑ +\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\] /m);
		expect(shown).toMatch(/^ROC AUC of the model minus length: .*\(DeLong, paired\)$/m);
	});

	it('ends with 3 where a cell fails, and says why', async () => {
		writeFileSync(inside('long.yaml'), 'config: config.yaml\naxes: { sequence.length: [100000, 64] }\n');
		const argv = ['run', 'long.yaml', '--output', 'long', '--training.epochs', '1'];
		const { code, stdout } = await here(...argv);
		expect(code).toBe(3);
		expect(stdout).toMatch(/2 cells: 1 finished, 1 failed\./);
		expect(stdout).toContain(
			'Cell 0 (length=100000) failed: sequence.length: the model reads at most 65536 tokens',
		);
	});

	it('refuses what it cannot do', async () => {
		const refusal = async (...argv: string[]) => {
			const { code, stderr } = await here(...argv);
			return `${code} ${stderr.split('\n')[0]}`;
		};
		expect(await refusal('run', 'grid.yaml')).toMatch(/^2 error: --output: required/);
		expect(await refusal('run', 'grid.yaml', '--output', 'o', '--only', '0', '--cell', '1')).toMatch(
			/^2 .*both choose cells/,
		);
		expect(await refusal('run', 'grid.yaml', '--output', 'o', '--jobs', '0')).toMatch(
			/^2 error: --jobs: expected a whole number of at least 1/,
		);
		expect(await refusal('run', 'grid.yaml', '--output', 'o', '--method.rank', '2')).toMatch(
			/^2 .*set by the grid/,
		);
		expect(await refusal('status', 'nowhere')).toMatch(/^2 error: nowhere: the folder holds no ledger/);
		expect(await refusal('compare', 'study', '0', 'x')).toMatch(/^2 error: no one cell is called x/);
		expect(existsSync(path.join(cwd, 'o'))).toBe(false);
	});
});
