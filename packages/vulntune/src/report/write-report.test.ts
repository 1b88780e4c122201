import { createHash } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { withoutThreshold } from '../evaluation/render-comparison.ts';
import { type SampleRun, writeSampleRun } from './testing/sample-run.ts';
import { writeReport } from './write-report.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-report-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let runs = 0;
const newRun = (sample?: SampleRun) => writeSampleRun(path.join(scratch, `run${runs++}`), sample);

async function write(sample: SampleRun = {}, isSynthetic = false) {
	const { report, card } = await writeReport(newRun(sample), { isSynthetic });
	return { page: readFileSync(report, 'utf8'), card: readFileSync(card, 'utf8') };
}

const calibration = {
	temperature: { value: 2.5, threshold: 0.5 },
	isotonic: { x: [0, 1], y: [0.5, 0.5], threshold: 0.5 },
};

/** The opening tags of a page. */
const tagsOf = (page: string) => [...page.matchAll(/<([a-zA-Z!][\w-]*)([^>]*)>/g)];

/** Throws where a page could run or load anything: the elements and attributes that a report is made of are few. */
function expectInert(page: string): void {
	const elements = new Set(tagsOf(page).map(([, name]) => name!.toLowerCase()));
	const structure =
		'!doctype html head meta title style body header main section h1 h2 h3 p em strong sup ol li span dl dt dd';
	const tables = 'div table thead tbody tr th td small details summary pre figure figcaption';
	const drawings = 'svg desc g path rect line text defs clippath';
	const allowed = new Set(`${structure} ${tables} ${drawings}`.split(' '));
	expect([...elements].filter((name) => !allowed.has(name))).toEqual([]);
	for (const [tag, , attributes] of tagsOf(page)) {
		const names = [...attributes!.replace(/"[^"]*"/g, '""').matchAll(/([\w:-]+)(?==)/g)].map(
			([name]) => name,
		);
		expect(
			names.filter((name) => /^(on|src|href|style|action)|xlink/i.test(name)),
			tag,
		).toEqual([]);
	}
	expect(page).not.toMatch(/https?:|@import|url\(/);
}

describe('report.html', () => {
	test('shows the metrics, the verdict, all figures and the settings', async () => {
		const { page } = await write();
		for (const title of [
			'F1 and ROC AUC per epoch',
			'Validation loss',
			'Training loss',
			'ROC curve',
			'Calibration',
		]) {
			expect(page).toContain(title);
		}
		expect(page.match(/<svg /g)).toHaveLength(6);
		expect(page).toContain('In ROC AUC lora ');
		expect(page).toContain('40 functions, 20 of them vulnerable');
		expect(page).toContain('3 functions are longer than a sequence');
		expect(page).toMatch(/all-positive<\/th>/);
		expect(page).toContain('50 tokens/s');
		expect(page).toContain('1.0 GiB of memory at most');
		expect(page).toContain('type: lora');
		expect(page).not.toContain('Synthetic');
	});

	test('begins with three numbers, each beside the baselines', async () => {
		const { page } = await write();
		const headline = page.slice(page.indexOf('<section class="headline"'), page.indexOf('On the test split'));
		const text = headline.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
		expect(text).toMatch(/ROC AUC ↑ .*F1 ↑ .*average precision ↑ /);
		expect(text).toMatch(/F1 ↑ \(higher is better\) 0\.500 95 %: \S+ to \S+ all-positive 0\.667 length/);
	});

	test('says of every metric which way is better, for screen readers too', async () => {
		const { page, card } = await write();
		const marks = new Map(
			[...page.matchAll(/<th scope="row">([^<]+)\u00a0<span[^>]*>(.)<\/span><span[^>]*> \((\w+) is/g)].map(
				([, label, arrow, better]) => [label!, `${arrow} ${better}`],
			),
		);
		const lower = ['Brier score', 'calibration error', 'VD-S'];
		const lowerPairs = ['pairs both vulnerable (P-V)', 'pairs both benign (P-B)', 'pairs reversed (P-R)'];
		expect(marks.size).toBe(19);
		for (const [label, mark] of marks) {
			expect(mark, label).toBe([...lower, ...lowerPairs].includes(label) ? '↓ lower' : '↑ higher');
			const marked = card.includes(`| ${label} ↓ |`);
			expect(marked, label).toBe(mark === '↓ lower');
		}
	});

	test('has the numbers of metrics.jsonl', async () => {
		const run = newRun();
		const page = readFileSync((await writeReport(run)).report, 'utf8');
		const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
		const { test: evaluation } = JSON.parse(lines.at(-1)!);
		const { rocAuc, f1, averagePrecision, precision, recall, macroF1, mcc, accuracy, brier, ece } =
			evaluation;
		const { recallAtFalsePositiveRate, vdS, f1_oracle, pairs } = evaluation;
		const expected = [
			...[rocAuc, f1, averagePrecision, precision, recall, macroF1, mcc, accuracy, brier, ece],
			...[recallAtFalsePositiveRate['0.01'], vdS, f1_oracle, pairs.correct, pairs.bothVulnerable],
			...[pairs.bothBenign, pairs.reversed, pairs.correctMinusReversed, pairs.ranking],
		].map(({ value, low, high }) => [value, low, high].map((number) => number.toFixed(3)).join(' '));
		const shown = page.matchAll(/is better\)<\/span><\/th><td>([\d.-]+)<small>\[([\d.-]+), ([\d.-]+)\]/g);
		expect([...shown].map(([, value, low, high]) => [value, low, high].join(' '))).toEqual(expected);
	});

	test("draws the baselines' curves, where the run wrote their scores down", async () => {
		const { page, card } = await write();
		const drawings = page.match(/<svg .*?<\/svg>/gs)!;
		const [roc, precisionRecall] = drawings;
		for (const drawing of [roc!, precisionRecall!]) {
			expect(drawing).toContain('>40 test functions, 20 vulnerable</text>');
			for (const name of ['lora', 'length', 'ngram', 'all-positive', 'at its threshold'])
				expect(drawing).toContain(`>${name}</text>`);
			expect(drawing).toContain('stroke="var(--series-4)"');
		}
		expect(page).toContain('<em>length</em> here the shorter ones, as ranks training rows better');
		expect(card).toContain('*length* here the shorter ones, as ranks training rows better');
		const { page: without } = await write({ keepsBaselines: false });
		expect(without).toContain('<em>length</em> the shorter ones, or the longer ones where');
		expect(without).not.toContain('stroke="var(--series-4)"');
		expect(without.match(/<svg /g)).toHaveLength(6);
	});

	test('shows what the maps of validation make of the calibration error, where they lie beside the adapter', async () => {
		const run = newRun({ calibration });
		const page = readFileSync((await writeReport(run)).report, 'utf8');
		const card = readFileSync(path.join(run, 'README.md'), 'utf8');
		expect(page.match(/<svg /g)).toHaveLength(7);
		expect(page).toContain('Calibration behind the maps (test)');
		const rows = [
			...page.matchAll(/<th scope="row">(as they come|temperature 2\.50|isotonic map of 2 points)<.*/g),
		];
		expect(rows).toHaveLength(3);
		// the first is what the table of all metrics has
		const { ece, brier } = JSON.parse(readFileSync(path.join(run, 'comparison.json'), 'utf8')).rows[0]
			.evaluation;
		const cell = ({ value, low, high }: Record<string, number>) =>
			`<td>${value!.toFixed(3)}<small>[${low!.toFixed(3)}, ${high!.toFixed(3)}]</small></td>`;
		expect(rows[0]![0]).toContain(`${cell(ece)}<td></td>${cell(brier)}`);
		expect(rows[1]![0]).toMatch(/<td>[+−]0\.\d{3}<small>\[[+−]0\.\d{3}, [+−]0\.\d{3}\]/);
		// a map to one half leaves the prevalence, which is that
		expect(rows[2]![0]).toContain('<td>0.000<small>');
		for (const text of [page, card]) expect(text).toMatch(/The isotonic map lowers the calibration error\./);
		expect(card).toMatch(/^\| temperature 2\.50 \| 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\] \| [+−]0\.\d{3} \[/m);
		const without = await write();
		for (const text of [without.page, without.card]) expect(text).not.toContain('isotonic map');
	});

	test('says what it was trained on', async () => {
		const { page, card } = await write({
			environment: { base: { weights: '0123456789abcdef'.repeat(4) }, earlierBases: [{}] },
		});
		const facts = new Map(
			[...page.split('class="facts"')[1]!.matchAll(/<dt>([\w ]+)<\/dt><dd>([^<]+)<\/dd>/g)].map(
				([, name, text]) => [name, text],
			),
		);
		expect(facts.get('data')).toBe(
			'rows: 90 functions for training, 40 for validation (20 vulnerable), 40 for test (20 vulnerable)',
		);
		expect(facts.get('base model')).toBe(
			'base, held as bf16; fingerprint of its weights 0123456789abcdef; begun on another base',
		);
		expect(facts.get('method')).toBe('lora, rank 8, alpha 32, dropout 0.05, on all-linear');
		expect(facts.get('sequences')).toMatch(/^512 tokens, isolated packing .*longer functions are left out$/);
		expect(facts.get('tokens')).toBe('4,000 in an epoch; 2 epochs');
		expect(facts.get('loss')).toBe('focal, gamma 1, sum over functions');
		expect(facts.get('optimiser')).toContain('learning rate 0.0001 (cosine, 2 warm-up steps)');
		for (const [name] of facts) expect(card, name).toContain(`\n- ${name}: `);
	});

	test('says how long the functions are, where the run wrote it down', async () => {
		const { page, card } = await write({ lengths: [10, 30, 600, 4] });
		const section = page.slice(page.indexOf('Functions in tokens'));
		expect(section).toContain(
			'<th scope="row">test</th><td>4</td><td>644</td><td>20</td><td>600</td><td>600</td><td>1 (25.0 %)</td>',
		);
		expect(section).toContain('up to 511 tokens whole');
		const sizes = '4 functions for training (4 vulnerable), 4 for validation (0 vulnerable)';
		for (const text of [page, card]) expect(text).toContain(sizes);
		expect((await write()).page).not.toContain('Functions in tokens');
	});

	test('counts the functions that were scored, missing and truncated, and those left out of training', async () => {
		const { page, card } = await write();
		expect(page).toMatch(/functions scored<\/th><td>40<\/td><td>40/);
		expect(page).toMatch(/functions missing<\/th><td>0<\/td>/);
		expect(page).toMatch(/functions truncated<\/th><td>3<\/td><td>0<\/td>/);
		expect(card).toMatch(/^\| functions truncated \| 3 \| 0 \|/m);
		expect(page).toMatch(/pairs<\/th><td>\d+<\/td>/);
		expect(card).toMatch(/^\| pairs \| \d+ \|/m);
		for (const text of [page, card]) {
			expect(text).toContain('7 of 90 training functions were left out as too long');
			expect(text).toContain('epoch 1 was kept, chosen by validation ROC AUC');
		}
	});

	test('says by what validation chose', async () => {
		const oneClass = await write({ validationArea: null });
		const ngram = await write({ method: 'ngram', epochs: 1 });
		for (const text of [oneClass.page, oneClass.card]) {
			expect(text).toContain('epoch 1 was kept, chosen by validation loss (its functions are of one class');
		}
		const neither = await write({ method: 'ngram', epochs: 1, validationArea: null });
		expect(neither.card).toContain('could not choose the strength of the penalty');
		for (const text of [ngram.page, ngram.card]) {
			expect(text).toContain('the strength of the penalty was chosen by validation ROC AUC');
			expect(text).not.toMatch(/epoch 1 was kept|^- epochs: |· 1 epoch/m);
		}
	});

	test('loads nothing and runs nothing: its policy allows its own style sheet alone', async () => {
		const { page } = await write();
		expectInert(page);
		const style = /<style>(.*)<\/style>/s.exec(page)![1]!;
		const hash = createHash('sha256').update(style).digest('base64');
		expect(page).toContain(
			`content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'"`,
		);
	});

	test('is the same for the same run', async () => {
		const run = newRun();
		const first = readFileSync((await writeReport(run)).report, 'utf8');
		expect(readFileSync((await writeReport(run)).report, 'utf8')).toBe(first);
	});

	test('shows foreign text as text', async () => {
		const hostile = `"><script>alert('1')</script><img src=x onerror=alert(1)>&lt;`;
		const { page, card } = await write({
			model: `models/${hostile.replaceAll('/', '')}`,
			dataset: `data/x\u0000${hostile}`,
			name: hostile,
			weakness: hostile,
			ids: (index) => `${index}${hostile}`,
		});
		expectInert(page);
		expect(page).not.toMatch(/<script|<img/);
		expect(page).toContain('&lt;script&gt;alert(&#39;1&#39;)');
		expect(page).toContain('&amp;lt;');
		const [, , ...body] = card.split(/^---\n/m);
		expect(body.join('')).not.toMatch(/(?<!\\)<(script|img)/);
	});

	test('says that data are synthetic: on top, in the title, in every figure and its description', async () => {
		const { page, card } = await write({}, true);
		expect(page.match(/Synthetic data/g)!.length).toBe(2 + 2 * 6);
		expect(page.match(/>Synthetic data: [^<]*<\/text>/g)).toHaveLength(6);
		expect(page).toMatch(/<title>Synthetic data: /);
		expect(card).toContain('Synthetic data');
		expect(parse(card.split('---\n')[1]!).tags).toContain('synthetic-data');
	});

	test('says why something is undefined', async () => {
		const { page, card } = await write({ label: () => 0, threshold: null, epochs: 1 });
		expect(page).toContain('no validation threshold is known');
		for (const text of [page, card]) expect(text).toContain(withoutThreshold);
		expect(page).not.toContain('Recall by weakness');
		expect(page).toContain('There is no threshold from validation');
		expect(page).toMatch(/Undefined: [a-z ]+\./);
		expect(page.match(/<svg /g)).toHaveLength(4);
		expectInert(page);
	});

	test('has few points for a long training', async () => {
		const { page } = await write({ epochs: 2000 });
		expect(page).toContain('Each point is the mean of 7 optimiser steps.');
		expect(page.length).toBeLessThan(1_000_000);
	});
});

describe('README.md', () => {
	test('has the metadata of a model card', async () => {
		const { card } = await write({ model: 'owner/base-1.3b', threshold: 0.25 });
		const [, frontMatter, ...rest] = card.split(/^---\n/m);
		const metadata = parse(frontMatter!);
		expect(metadata).toMatchObject({
			library_name: 'peft',
			pipeline_tag: 'text-classification',
		});
		const [result] = metadata['model-index'][0].results;
		expect(result.dataset).toEqual({ type: 'rows', name: 'rows', split: 'test' });
		const auc = result.metrics.find(({ type }: { type: string }) => type === 'roc_auc');
		const [low, high] = auc.args.interval95;
		expect(low).toBeLessThan(auc.value);
		expect(high).toBeGreaterThan(auc.value);
		expect(rest.join('')).toContain('from a probability of 0.25 on');
		expect(rest.join('')).toContain('| ROC AUC |');
	});

	test('says below the table why values are undefined or have no interval', async () => {
		const { card } = await write({ label: () => 0, threshold: null, epochs: 1 });
		const mentioned = new Set(
			[...card.matchAll(/^\| .*$/gm)].flatMap(([row]) => row.match(/\(\d+\)/g) ?? []),
		);
		const explained = [...card.matchAll(/^(\(\d+\)) \S/gm)].map(([, mark]) => mark!);
		expect(explained.length).toBeGreaterThan(1);
		expect(explained.toSorted()).toEqual([...mentioned].toSorted());
		expect(card).toContain('no validation threshold is known');
		expect(card).not.toMatch(/undefined \||\| \d\.\d{3} \|/);
	});

	test('shows a command that works wherever the run lies', async () => {
		const { card } = await write();
		expect(card).toContain('    npx vulntune evaluate RUN --data DATASET\n');
		expect(card).toContain('RUN is the folder that holds this file');
	});

	test('names what reads the adapter, and no more', async () => {
		const library = async (sample: SampleRun) => {
			const { card } = await write(sample);
			return [parse(card.split(/^---\n/m)[1]!).library_name, card.includes('vulntune alone')];
		};
		expect(await library({})).toEqual(['peft', false]);
		expect(await library({ head: { pool: 'mean' } })).toEqual(['vulntune', true]);
		expect(await library({ head: { hidden: 8 } })).toEqual(['vulntune', true]);
		expect(await library({ method: 'head' })).toEqual(['vulntune', true]);
	});

	test('keeps hostile names inside their field', async () => {
		const { card } = await write({ dataset: 'data/rows: [1]\n---\nlicense: mit #' });
		const metadata = parse(card.split(/^---\n/m)[1]!);
		expect(metadata.license).toBeUndefined();
		expect(metadata['model-index'][0].results[0].dataset.type).toBe('rows: [1]\n---\nlicense: mit #');
	});
});

describe('a run that is not whole', () => {
	test.each(['metrics.jsonl', 'comparison.json', 'predictions.test.jsonl', 'config.yaml'])(
		'without %s is refused',
		async (file) => {
			const run = newRun();
			rmSync(path.join(run, file));
			await expect(writeReport(run)).rejects.toMatchObject({
				code: 'RUN_UNFINISHED',
				place: run,
				summary: expect.stringContaining(file),
			});
		},
	);

	test("is refused where the baselines' scores are of other functions", async () => {
		const run = newRun();
		const file = path.join(run, 'baselines.test.jsonl');
		writeFileSync(file, readFileSync(file, 'utf8').split('\n').slice(1).join('\n'));
		await expect(writeReport(run)).rejects.toMatchObject({ code: 'RUN_FILE', place: file });
	});

	test('names the line that is broken', async () => {
		const run = newRun();
		appendFileSync(path.join(run, 'metrics.jsonl'), '{"type":\n');
		await expect(writeReport(run)).rejects.toMatchObject({
			code: 'RUN_FILE',
			place: `${path.join(run, 'metrics.jsonl')}:6`,
		});
	});
});
