import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import type { Study } from '../read-study.ts';
import { toParquet } from './parquet.ts';
import { isExport } from './table.ts';
import { toCsv, toLatex, toMarkdown } from './text-formats.ts';

const study = {
	columns: ['method.targets', 'data.path', 'sequence.length'],
	cells: [
		{
			...{ cell: '0', status: 'finished', seconds: 5400, peakBytes: 2 ** 31 },
			settings: {
				'method.targets': ['q_proj', 'v_proj'],
				'data.path': '/data/x1, "old"',
				'sequence.length': 512,
			},
			rocAuc: { value: 0.5512, low: 0.48, high: 0.62 },
			f1: { value: 0.6, low: null, high: null, reason: 'one group' },
		},
		{
			...{ cell: '1', status: 'failed', seconds: null, peakBytes: null },
			settings: { 'method.targets': 'all-linear', 'data.path': 'a_b|c', 'sequence.length': null },
			rocAuc: { value: null, reason: 'one class' },
			f1: null,
		},
	],
} as unknown as Study;

const head =
	'cell,status,method.targets,data.path,sequence.length,rocAuc,rocAucLow,rocAucHigh,f1,seconds,peakBytes';

describe('a study as a table', () => {
	it('is CSV with quotes where they are needed, and nothing where nothing is defined', () => {
		expect(toCsv(study)).toBe(`${head}
0,finished,"[""q_proj"",""v_proj""]","/data/x1, ""old""",512,0.5512,0.48,0.62,0.6,5400,2147483648
1,failed,all-linear,a_b|c,,,,,,,
`);
	});

	it('may replace an earlier one, and nothing else', () => {
		const parquet = new TextDecoder().decode(toParquet(study));
		for (const text of [toCsv(study), toMarkdown(study), toLatex(study), parquet])
			expect(isExport(text)).toBe(true);
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
		).toBe(`| cell | status | targets | path | length | ROC AUC | 95 % | F1 | hours | GiB |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| 0 | finished | ["q_proj","v_proj"] | x1, "old" | 512 | 0.551 | 0.480 to 0.620 | 0.600 | 1.50 | 2.00 |
| 1 | failed | all-linear | a_b\\|c | – | – | – | – | – | – |
`);
	});

	it('is LaTeX with what is special there escaped', () => {
		const text = toLatex(study);
		expect(text).toContain('\\begin{tabular}{llllllllll}');
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
					status: 'finished',
					'method.targets': '["q_proj","v_proj"]',
					'data.path': '/data/x1, "old"',
				},
				...{ 'sequence.length': 512, rocAuc: 0.5512, rocAucLow: 0.48, rocAucHigh: 0.62, f1: 0.6 },
				...{ seconds: 5400, peakBytes: 2n ** 31n },
			},
			{
				...{ cell: '1', status: 'failed', 'method.targets': 'all-linear', 'data.path': 'a_b|c' },
				...{ 'sequence.length': null, rocAuc: null, rocAucLow: null, rocAucHigh: null, f1: null },
				...{ seconds: null, peakBytes: null },
			},
		]);
	});
});
