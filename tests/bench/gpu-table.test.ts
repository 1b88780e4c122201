import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { renderTable, reportLines } from '../../bench/cuda/table.ts';

it('docs/gpu shows what its results say', () => {
	const page = path.resolve(import.meta.dirname, '../../docs/gpu/README.md');
	expect(readFileSync(page, 'utf8'), 'run npm run check:cuda -- --table').toBe(renderTable());
});

it('shows which share of a step the host waited, where a record has it', () => {
	const file = path.resolve(import.meta.dirname, '../../docs/gpu/h200-2026-11-28.json');
	const report = JSON.parse(readFileSync(file, 'utf8')) as Parameters<typeof reportLines>[1];
	const { training } = report;
	const smollm2 = { ...training.result.smollm2, waitShare: 0.0375 };
	const waited = { ...report, training: { ...training, result: { ...training.result, smollm2 } } };
	const rows = reportLines('h200', waited).filter((line) =>
		/^\| (SmolLM2|four layers).* (–|%) \|$/.test(line),
	);
	expect(rows.map((row) => row.split(' | ').at(-1))).toEqual(['4 % |', '– |']);
});
