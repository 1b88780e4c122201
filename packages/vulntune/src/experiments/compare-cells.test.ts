import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aucDifference } from '../evaluation/compare-with-baselines.ts';
import { readPredictions } from '../evaluation/predictions.ts';
import {
	type CellComparison,
	compareCells,
	describeDifference,
	renderCellComparison,
} from './compare-cells.ts';
import { readCells } from './ledger/cells.ts';
import { type Ledger, openLedger } from './ledger/open-ledger.ts';
import { runStudy } from './run-study.ts';
import { requestOf, silent, standIn, studyFolder } from './testing/study-folder.ts';

const { inside, write } = studyFolder();
let ledger: Ledger;
const fileOf = (cell: number) => inside(`study/${readCells(ledger)[cell]!.folder}/predictions.test.jsonl`);

beforeAll(async () => {
	const grid = write('grid.yaml', 'config: config.yaml\naxes: { training.seed: [1, 2, 3, 4] }\n');
	await runStudy(requestOf(grid, inside('study'), { only: ['0', '1', '2'] }), silent, standIn([]));
	ledger = openLedger(inside('study'));
	const rows = (await readPredictions(fileOf(0))).map(({ id, label, commit }, i) => ({
		...{ id, label, commit, probability: ((i * 11) % 40) / 40, threshold: 0.5 },
	}));
	// another order, as another version might write them
	writeFileSync(
		fileOf(1),
		rows
			.toReversed()
			.map((row) => `${JSON.stringify(row)}\n`)
			.join(''),
	);
	writeFileSync(
		fileOf(2),
		rows
			.slice(1)
			.map((row) => `${JSON.stringify(row)}\n`)
			.join(''),
	);
});
afterAll(() => ledger.close());

describe('what is said of two cells', () => {
	const of = (low: number, high: number) => ({ value: (low + high) / 2, low, high, p: 0.02 });
	const said = (rocAuc: CellComparison['rocAuc'], f1: CellComparison['f1']) =>
		renderCellComparison({
			...{ schema: 'vulntune.cellComparison/1', functions: 40, groupedBy: 'commit', rocAuc, f1 },
			...{ a: { cell: 'seed=1', run: '1' }, b: { cell: 'seed=2', run: '2' } },
		});

	it('is which of them is better, or that the data do not say', () => {
		expect(said(of(0.01, 0.03), of(-0.03, -0.01))).toContain(
			'In ROC AUC A is better. In F1 B is better. Neither p',
		);
		expect(said(of(-0.01, 0.03), { value: null, reason: 'no threshold' })).toContain(
			"In ROC AUC these data show no difference. In F1 they can't be told apart.",
		);
	});
});

describe('two cells', () => {
	it('are compared function by function, whatever the order of their files', async () => {
		const own = await readPredictions(fileOf(0));
		const other = new Map((await readPredictions(fileOf(1))).map((row) => [row.id, row]));
		const { rocAuc, f1, functions, a, b } = await compareCells(ledger, '0', 'seed=2');
		const expected = aucDifference(
			own.map(({ label }) => label),
			{ scores: own.map(({ probability }) => probability!) },
			{ scores: own.map(({ id }) => other.get(id)!.probability!) },
		);
		expect(rocAuc).toEqual(expected);
		expect(rocAuc).toHaveProperty('p');
		expect([functions, a.cell, b.cell]).toEqual([40, 'seed=1', 'seed=2']);
		// the stand-in's file has no threshold
		expect(f1).toEqual({ value: null, reason: 'no validation threshold is known' });
	});

	it('of other functions, or not finished, are refused', async () => {
		await expect(compareCells(ledger, '0', '2')).rejects.toThrow(/were not measured on the same functions/);
		await expect(compareCells(ledger, '2', '0')).rejects.toThrow(/were not measured on the same functions/);
		await expect(compareCells(ledger, '0', '3')).rejects.toThrow(/the cell seed=4 is pending/);
	});

	it('are compared on what both have scored', async () => {
		const text = readFileSync(fileOf(1), 'utf8');
		const unscored = text.replace(/"probability":[\d.]+/, '"probability":null,"missing":"too long"');
		writeFileSync(fileOf(1), unscored);
		const found = [await compareCells(ledger, '0', '1'), await compareCells(ledger, '1', '0')];
		expect(found.map(({ functions }) => functions)).toEqual([39, 39]);
		writeFileSync(fileOf(1), text);
	});

	it('whose folder or file was removed say so, with a remedy that helps', async () => {
		const file = fileOf(0);
		const folder = path.dirname(file);
		renameSync(file, `${file}.away`);
		await expect(compareCells(ledger, '0', '1')).rejects.toMatchObject({
			...{
				code: 'RUN_FILE',
				place: file,
				summary: expect.stringContaining('the predictions file of the cell'),
			},
		});
		renameSync(`${file}.away`, file);
		renameSync(folder, `${folder}.away`);
		await expect(compareCells(ledger, '1', '0')).rejects.toMatchObject({
			...{
				code: 'RUN_FILE',
				place: folder,
				summary: expect.stringContaining('the run folder of the cell seed=1'),
			},
			remedy: expect.stringContaining('with another --output'),
		});
		renameSync(`${folder}.away`, folder);
	});

	it('of other data are refused, though their functions have the same ids and labels', async () => {
		const { runId } = readCells(ledger)[1]!;
		const setHash = (hash: string) =>
			ledger.database.prepare('UPDATE runs SET dataset_hash = ? WHERE id = ?').run(hash, runId);
		const { datasetHash } = readCells(ledger)[1]!;
		setHash('another');
		await expect(compareCells(ledger, '0', '1')).rejects.toMatchObject({
			code: 'CELLS_DIFFER',
			summary: expect.stringMatching(
				`seed=1 on \\S+ \\(${datasetHash!.slice(0, 12)}\\), seed=2 on \\S+ \\(another\\)$`,
			),
		});
		setHash(datasetHash!);
	});
});

it('a difference is told with its interval and p', () => {
	expect(describeDifference({ value: 0.0312, low: -0.002, high: 0.064, p: 0.066 })).toBe(
		'+0.031 [-0.002, +0.064], p = 0.066',
	);
	expect(describeDifference({ value: -0.2, low: -0.3, high: -0.1, p: 1e-5 })).toBe(
		'-0.200 [-0.300, -0.100], p < 0.001',
	);
	expect(describeDifference({ value: null, reason: 'one class' })).toBe('undefined: one class');
});
