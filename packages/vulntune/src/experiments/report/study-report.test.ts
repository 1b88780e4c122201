import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toCsv } from '../export/text-formats.ts';
import { openLedger } from '../ledger/open-ledger.ts';
import { runStudy } from '../run-study.ts';
import { requestOf, silent, standIn, studyFolder } from '../testing/study-folder.ts';
import { paperRowOf, paperTable } from './paper-table.ts';
import { readReport } from './report-cells.ts';
import { studyFigures } from './study-figures.ts';
import { describeMeans, renderStudyPage } from './study-page.ts';
import { type WrittenStudyReport, writeStudyReport } from './write-study-report.ts';

const { inside, write } = studyFolder();
let written: WrittenStudyReport;
let page: string;

beforeAll(async () => {
	const grid = write(
		'grid.yaml',
		'config: config.yaml\naxes: { training.seed: [1, 2, 3] }\ncells: [{ name: "<b>&", training.seed: 9 }]\n',
	);
	await runStudy(requestOf(grid, inside('study'), { only: ['0', '1', '3'] }), silent, standIn([]));
	const ledger = openLedger(inside('study'));
	// as a run of the paper's second row would have it
	const [{ id, config }] = ledger.database
		.prepare('SELECT id, config FROM runs JOIN cells ON run = id WHERE position = 1')
		.all() as [{ id: string; config: string }];
	const asPaper = {
		...parse(config),
		method: { type: 'qlora' },
		sequence: { length: 512, largeFunctions: 'truncate' },
		training: { epochs: 3 },
	};
	ledger.database.prepare('UPDATE runs SET config = ? WHERE id = ?').run(JSON.stringify(asPaper), id);
	ledger.database
		.prepare("UPDATE metrics SET value = 123 WHERE metric = 'counts.positives' AND run = ?")
		.run(id);
	ledger.database
		.prepare("UPDATE metrics SET value = 252 WHERE metric = 'counts.functions' AND run = ?")
		.run(id);
	// baselines that differ, so that one is the best
	ledger.database.exec("UPDATE metrics SET value = 0.7 WHERE metric = 'rocAuc' AND detector = 'length'");
	written = await writeStudyReport(ledger);
	ledger.close();
	page = readFileSync(written.report, 'utf8');
});

describe('the report of a study', () => {
	it('is one file that loads nothing and escapes what is foreign', () => {
		expect(page).toContain("default-src 'none'; style-src 'sha256-");
		expect(page).not.toMatch(/<script|src=|href=|url\(/);
		expect(page).toContain('&lt;b&gt;&amp;');
		expect(page).not.toContain('<b>&');
	});

	it('says what was run to a reader who was not there', () => {
		expect(page).toContain('options in which their cells differ: grid (4 cells: training.seed).');
	});

	it('says what is finished and what the corrected tests come to', () => {
		expect(page).toContain('1 of 4 cells is not finished and not in this report.');
		expect(page).toMatch(
			/<p class="verdict">None of 3 finished cells beats its best baseline in test ROC AUC, .* These data show no difference for any of them\./,
		);
		expect(page).toContain('no difference shown');
	});

	it('says which cells beat their best baseline and which are worse, as the corrected tests have it', async () => {
		const ledger = openLedger(inside('study'));
		const report = await readReport(ledger);
		ledger.close();
		const cells = report.cells.map((cell, i) => {
			const [value, correctedP] = [
				[0.1, 0.01],
				[-0.1, 0.01],
				[0.1, 0.2],
			][i]! as [number, number];
			return { ...cell, correctedP, difference: { value, low: -1, high: 1, p: 0.01 } };
		});
		const told = renderStudyPage({ ...report, cells }, []);
		expect(told).toMatch(
			/>1 of 3 finished cells beats its best baseline in test ROC AUC \(seed=1\); 1 is worse than it, .* For the rest these data show no difference\./,
		);
		expect([...told.matchAll(/<td>(better|worse|no difference shown)</g)].map(([, word]) => word)).toEqual([
			...['better', 'worse', 'no difference shown'],
		]);
	});

	it('has no mean where no cell of an axis has a partner', () => {
		const means = [
			{ value: '4', rocAuc: Number.NaN, cells: 0 },
			{ value: '8', rocAuc: 0.5, cells: 1 },
		];
		expect(describeMeans(means)).toBe(
			'none at 4 (no cell has a partner at every value), 0.500 at 8 (1 cell)',
		);
		expect(describeMeans(means.slice(0, 1))).toBe('none, since no cell has a partner at every value');
	});

	it('shows the paper’s rows, with the cell that repeats one under it', () => {
		expect(page.match(/<strong>(?:Q?LoRA), with/g)).toHaveLength(8);
		expect(page).toMatch(
			/<strong>QLoRA, without P3, 512, include<\/strong>.*\n.*\n?<tr><th scope="row">seed=2<small>none, 3 epochs<\/small><\/th>/,
		);
		expect(page.match(/not run here/g)).toHaveLength(7);
	});

	it('knows what the overrides of a grid set in a cell, which is no other seed alone then', async () => {
		const text = `config: config.yaml
axes: { training.seed: [1, 2] }
overrides: [{ when: { training.seed: 2 }, set: { data.collapseWhitespace: false } }]`;
		await runStudy(requestOf(write('together.yaml', text), inside('together')), silent, standIn([]));
		const ledger = openLedger(inside('together'));
		const report = await readReport(ledger);
		ledger.close();
		expect(report.study.overrides).toEqual(['data.collapseWhitespace']);
		expect(toCsv(report.study)).toMatch(
			/^cell,name,status,training\.seed,data\.collapseWhitespace,.*\n0,seed=1,finished,1,true,.*\n1,seed=2,finished,2,false,/,
		);
		expect(report.cells.map(({ written }) => written)).toEqual([
			['training.seed'],
			['training.seed', 'data.collapseWhitespace'],
		]);
		const together = renderStudyPage(report, []);
		expect(together).toContain('Along with these, some cells have other data.collapseWhitespace.');
		expect(together).toContain('seed=2<small>data.collapseWhitespace false</small>');
		expect(together).toContain('No two finished cells differ in the seed alone');
	});

	it('draws each figure into the page, as SVG that stands alone, and as PNG', () => {
		const names = ['f1', 'roc-auc', 'loss', 'forest']
			.flatMap((name) => [`${name}-1`, `${name}-2`])
			.map((name) => inside(`study/report.${name}.svg`));
		expect(written.figures.filter((file) => file.endsWith('.svg')).toSorted()).toEqual(names.toSorted());
		for (const file of names) {
			const svg = readFileSync(file, 'utf8');
			expect(svg).toMatch(/^<svg .*xmlns=/);
			expect(svg).not.toContain('var(');
			expect(page).toContain('<svg');
		}
		if (written.withoutPng !== null) {
			console.warn(`skipped: PNG, ${written.withoutPng}`);
			return;
		}
		const png = readFileSync(inside('study/report.f1-1.png'));
		expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
		expect(existsSync(inside('study/report.forest-2.png'))).toBe(true);
	});

	it('tests each cell against its best baseline, corrected over all cells', async () => {
		const ledger = openLedger(inside('study'));
		const { cells } = await readReport(ledger);
		ledger.close();
		expect(cells).toHaveLength(3);
		for (const { best, baselines, difference, correctedP } of cells) {
			const areas = baselines.map(({ rocAuc }) => rocAuc.value!);
			expect([best!.name, best!.rocAuc.value]).toEqual(['length', Math.max(...areas)]);
			// equal runs: Holm takes three times the p of one
			expect(correctedP).toBeCloseTo(Math.min(1, 3 * (difference as { p: number }).p), 10);
		}
	});

	it('reads the length the other way round where a run has it worse than a coin, and says so', async () => {
		const ledger = openLedger(inside('study'));
		ledger.database.exec('BEGIN');
		ledger.database.exec(
			"UPDATE metrics SET value = 0.2, low = 0.1, high = 0.3 WHERE metric = 'rocAuc' AND detector = 'length'",
		);
		ledger.database.exec(
			"UPDATE differences SET value = 0.4 WHERE metric = 'rocAuc' AND baseline = 'length'",
		);
		const report = await readReport(ledger);
		ledger.database.exec('ROLLBACK');
		ledger.close();
		const [cell] = report.cells;
		expect(cell!.lengthBefore).toBe(0.2);
		expect(cell!.best).toEqual({
			name: 'length',
			rocAuc: { value: 0.8, low: 0.7, high: 0.9, reason: null },
		});
		// minus the length read the other way round, not minus what the ledger has
		expect(cell!.difference!.value).toBeCloseTo(0.05, 10);
		expect(renderStudyPage(report, [])).toMatch(
			/All cells call shorter functions vulnerable .*\(ROC AUC 0\.200\).*read the other way round/,
		);
		expect(page).not.toContain('read the other way round');
	});

	it('tells data that were changed from data that only lie elsewhere', async () => {
		const ledger = openLedger(inside('study'));
		const dataOf = async () => (await readReport(ledger)).cells.map(({ data }) => data);
		ledger.database.exec('BEGIN');
		const [first] = await readReport(ledger).then(({ cells }) => cells);
		const { run } = first!.cell;
		const set = (column: string, value: string) =>
			ledger.database.prepare(`UPDATE runs SET ${column} = ? WHERE id = ?`).run(value, run);
		const before = await dataOf();
		const { config } = ledger.database.prepare('SELECT config FROM runs WHERE id = ?').get(run) as {
			config: string;
		};
		set('config', JSON.stringify({ ...parse(config), data: { path: 'elsewhere' } }));
		expect(await dataOf()).toEqual(before);
		set('dataset_hash', 'another');
		expect((await dataOf())[0]).not.toBe(before[0]);
		ledger.database.exec('ROLLBACK');
		ledger.close();
	});

	it('draws what has no intervals, and no curve of what is undefined in every epoch', async () => {
		const ledger = openLedger(inside('study'));
		const { cells } = await readReport(ledger);
		ledger.close();
		const bare = cells.map((cell) => ({
			...cell,
			rocAuc: { ...cell.rocAuc, low: null, high: null },
			epochs: cell.epochs.map((epoch) => ({ ...epoch, rocAuc: null })),
		}));
		const names = (await studyFigures(bare)).map(({ name }) => name);
		expect(names).toEqual(['forest-1', 'forest-2', 'f1-1', 'loss-1', 'f1-2', 'loss-2']);
		const undefinedCells = bare.map((cell) => ({
			...cell,
			rocAuc: { ...cell.rocAuc, value: null },
			epochs: [],
		}));
		expect(await studyFigures(undefinedCells)).toEqual([]);
	});

	it('tells what was generated', async () => {
		const ledger = openLedger(inside('study'));
		ledger.database.exec(`UPDATE runs SET environment = '{"synthetic":true}' WHERE status = 'finished'`);
		const report = await readReport(ledger);
		ledger.close();
		expect(renderStudyPage(report, [])).toContain('<title>Synthetic data: study');
	});
});

describe('a row of the paper', () => {
	const setting = {
		method: 'qlora',
		length: 512,
		largeFunctions: 'ignore',
		functions: 252,
		positives: 123,
	} as const;

	it('is known by method, length, large functions and P3', () => {
		expect(paperRowOf(setting)).toBe(paperTable[0]);
		expect(paperRowOf({ ...setting, largeFunctions: 'window' })).toBe(paperTable[1]);
		expect(paperRowOf({ ...setting, length: 256, functions: 2705 })).toBe(paperTable[5]);
		expect(paperRowOf({ ...setting, method: 'lora', length: 2048, largeFunctions: 'truncate' })).toBe(
			paperTable[6],
		);
	});

	it('is none of other data or settings', () => {
		expect(paperRowOf({ ...setting, positives: 124 })).toBeUndefined();
		expect(paperRowOf({ ...setting, length: 1024 })).toBeUndefined();
		expect(paperRowOf({ ...setting, method: 'head' })).toBeUndefined();
	});
});
