import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import type { Study } from '../read-study.ts';
import { toParquet } from './parquet.ts';
import { isExport } from './table.ts';
import { toCsv, toLatex, toMarkdown } from './text-formats.ts';

const study = {
	columns: ['method.targets', 'data.path'],
	overrides: ['sequence.length'],
	cells: [
		{
			...{ cell: '0', name: 'q, v', status: 'finished', seconds: 5400, peakBytes: 2 ** 31 },
			settings: {
				'method.targets': ['q_proj', 'v_proj'],
				'data.path': '/data/x1, "old"',
				'sequence.length': 512,
			},
			rocAuc: { value: 0.5512, low: 0.48, high: 0.62 },
			f1: { value: 0.6, low: 0.5, high: 0.7 },
		},
		{
			...{ cell: '1', name: 'all', status: 'failed', seconds: null, peakBytes: null },
			settings: { 'method.targets': 'all-linear', 'data.path': 'a_b|c', 'sequence.length': null },
			rocAuc: { value: null, reason: 'one class' },
			f1: { value: 0.4, low: null, high: null, reason: 'one group' },
		},
	],
} as unknown as Study;

const head =
	'cell,name,status,method.targets,data.path,sequence.length,rocAuc,rocAucLow,rocAucHigh,f1,f1Low,f1High,seconds,peakBytes';

describe('a study as a table', () => {
	it('is CSV with quotes where they are needed, and nothing where nothing is defined', () => {
		expect(toCsv(study)).toBe(`${head}
0,"q, v",finished,"[""q_proj"",""v_proj""]","/data/x1, ""old""",512,0.5512,0.48,0.62,0.6,0.5,0.7,5400,2147483648
1,all,failed,all-linear,a_b|c,,,,,0.4,,,,
`);
	});

	it('may replace an earlier one, and nothing else', () => {
		const parquet = new TextDecoder().decode(toParquet(study));
		for (const text of [toCsv(study), toMarkdown(study), toLatex(study), parquet])
			expect(isExport(text)).toBe(true);
		// of earlier versions
		expect(isExport('cell,status,training.seed,rocAuc')).toBe(true);
		expect(isExport('| cell | status | seed |')).toBe(true);
		for (const text of [
			'{"code":"f","target":1}',
			'cell,of,mine',
			'| cell | phone |',
			'# notes\ncell,status,',
		])
			expect(isExport(text)).toBe(false);
	});

	it('is Markdown with its bars escaped', () => {
		expect(
			toMarkdown(study),
		).toBe(`| cell | name | status | targets | path | length | ROC AUC | 95 % | F1 | 95 % | hours | GiB |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| 0 | q, v | finished | ["q_proj","v_proj"] | x1, "old" | 512 | 0.551 | 0.480 to 0.620 | 0.600 | 0.500 to 0.700 | 1.50 | 2.00 |
| 1 | all | failed | all-linear | a_b\\|c | – | – | – | 0.400 | – | – | – |
`);
	});

	it('is LaTeX with what is special there escaped', () => {
		const text = toLatex(study);
		expect(text).toContain('\\begin{tabular}{llllllllllll}');
		expect(text).toContain('95 \\% &');
		expect(text).toContain('a\\_b|c & -- & --');
		expect(text.match(/ \\\\$/gm)).toHaveLength(3);
	});

	it('is Parquet with types, as its reader reads it', async () => {
		const bytes = toParquet(study);
		const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
		expect(await parquetReadObjects({ file })).toEqual([
			{
				...{
					cell: '0',
					name: 'q, v',
					status: 'finished',
					'method.targets': '["q_proj","v_proj"]',
					'data.path': '/data/x1, "old"',
				},
				...{ 'sequence.length': 512, rocAuc: 0.5512, rocAucLow: 0.48, rocAucHigh: 0.62 },
				...{ f1: 0.6, f1Low: 0.5, f1High: 0.7 },
				...{ seconds: 5400, peakBytes: 2n ** 31n },
			},
			{
				...{ cell: '1', name: 'all', status: 'failed', 'method.targets': 'all-linear', 'data.path': 'a_b|c' },
				...{ 'sequence.length': null, rocAuc: null, rocAucLow: null, rocAucHigh: null },
				...{ f1: 0.4, f1Low: null, f1High: null },
				...{ seconds: null, peakBytes: null },
			},
		]);
	});
});
