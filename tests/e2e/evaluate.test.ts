import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { hashStream, permutation } from '@vulntune/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { createProject } from './project.ts';
import { vulntuneHere } from './same-process.ts';

const project = createProject({ train: 12, valid: 8, test: 10 });
const { root: cwd, inside } = project;

interface Prediction {
	readonly id: number;
	readonly label: number;
	readonly probability: number;
}

interface Evaluated {
	readonly truncated: number;
	readonly threshold: number;
	readonly rows: readonly { readonly evaluation: Readonly<Record<string, unknown>> }[];
	readonly predictions: readonly Prediction[];
}

async function evaluate(...argv: string[]): Promise<Evaluated> {
	const { code, stdout, stderr } = await vulntuneHere(['evaluate', ...argv, '--json'], { cwd });
	expect(code, stderr).toBe(0);
	return JSON.parse(stdout);
}

function savedPredictions(split: string): Prediction[] {
	const lines = readFileSync(inside(`run/predictions.${split}.jsonl`), 'utf8')
		.trimEnd()
		.split('\n');
	return lines.map((line) => {
		const { id, label, probability } = JSON.parse(line);
		return { id, label, probability };
	});
}

/** A copy of the run whose config has another section `sequence`. */
/** Changes what is written beside a run's adapter. */
function editAdapter(
	name: string,
	change: (description: Record<string, unknown>) => Record<string, unknown>,
): void {
	const file = inside(`${name}/adapter/vulntune.json`);
	const description = JSON.parse(readFileSync(file, 'utf8'));
	writeFileSync(file, JSON.stringify({ ...description, ...change(description) }));
}

function runWith(name: string, sequence: object): string {
	cpSync(inside('run'), inside(name), { recursive: true });
	const file = inside(`${name}/config.yaml`);
	const config = parse(readFileSync(file, 'utf8'));
	writeFileSync(file, stringify({ ...config, sequence: { ...config.sequence, ...sequence } }));
	editAdapter(name, (adapter) => ({ sequence: { ...(adapter.sequence as object), ...sequence } }));
	return name;
}

beforeAll(async () => {
	const { code, stderr } = await vulntuneHere(['train', 'config.yaml', '--output', 'run'], { cwd });
	expect(code, stderr).toBe(0);
});

describe('evaluate', () => {
	it("gives exactly the run's own predictions and comparison", async () => {
		const { predictions, rows, threshold } = await evaluate('run');
		expect(predictions).toEqual(savedPredictions('test'));
		const comparison = JSON.parse(readFileSync(inside('run/comparison.json'), 'utf8'));
		expect(rows).toEqual(comparison.rows);
		expect(threshold).toBe(comparison.rows[0].evaluation.threshold.value);
		expect((await evaluate('run/adapter', '--split', 'valid')).predictions).toEqual(
			savedPredictions('valid'),
		);
	});

	it('refuses another base of the same shape with both named, and takes it by name', async () => {
		cpSync(inside('model'), inside('damaged'), { recursive: true });
		const weights = inside('damaged/model.safetensors');
		const bytes = readFileSync(weights);
		writeFileSync(weights, bytes.fill(0, bytes.length - 64));
		const argv = ['evaluate', 'run', '--model', 'damaged', '--backend', 'reference', '--json'];
		const { code, stdout } = await vulntuneHere(argv, { cwd });
		expect(code).toBe(2);
		expect(JSON.parse(stdout).error).toMatchObject({
			code: 'BASE_MISMATCH',
			message: expect.stringMatching(/other weights \([0-9a-f]{12} there, [0-9a-f]{12} here\)/),
			place: inside('damaged'),
		});
		const allowed = await vulntuneHere([...argv, '--allow-other-base'], { cwd });
		expect(allowed.code, allowed.stderr).toBe(0);
		expect(JSON.parse(allowed.stdout).caution).toContain('Allowed by --allow-other-base');
	});

	it.each([
		['--backend', 'wasm'],
		['--backend.threads', '1'],
		['--backend', 'reference', '--backend.device', '0'],
	])('computes where it is told to: %s %s', async (...flags) => {
		const { code, stderr } = await vulntuneHere(['evaluate', 'run', ...flags], { cwd });
		expect(code, stderr).toBe(0);
	});

	it('gives a function the same probability wherever it stands', async () => {
		mkdirSync(inside('shuffled'));
		const lines = readFileSync(inside('data/test.jsonl'), 'utf8').trimEnd().split('\n');
		const order = permutation(1, hashStream('shuffled rows'), lines.length);
		const shuffled = Array.from(order, (index) => lines[index]!);
		expect(shuffled).not.toEqual(lines);
		writeFileSync(inside('shuffled/test.jsonl'), `${shuffled.join('\n')}\n`);
		// there is no training split beside it: the baselines are fitted on the run's own
		const { predictions } = await evaluate('run', '--data', 'shuffled');
		expect(predictions.toSorted((a, b) => a.id - b.id)).toEqual(savedPredictions('test'));
	});

	it('fits the baselines on the rows of the run where the scored dataset can teach them nothing', async () => {
		cpSync(inside('data'), inside('one-class'), { recursive: true });
		const rows = readFileSync(inside('data/train.jsonl'), 'utf8').split('\n');
		const positive = rows.filter((row) => row.includes('"target":1'));
		writeFileSync(inside('one-class/train.jsonl'), `${positive.join('\n')}\n`);
		expect(await evaluate('run', '--data', 'one-class')).toEqual(await evaluate('run'));
	});

	it.each([
		['head.pool', { head: { pool: 'mean', hidden: null } }],
		['data.collapseWhitespace', { collapseWhitespace: false }],
		['method.type', { method: 'qlora' }],
		['sequence.length', { sequence: { length: 95 } }],
	])('refuses a run whose adapter says otherwise of %s', async (key, change) => {
		const name = `edited-${key}`;
		cpSync(inside('run'), inside(name), { recursive: true });
		editAdapter(name, () => change);
		const { code, stdout } = await vulntuneHere(['evaluate', name, '--json'], { cwd });
		expect(code).toBe(2);
		const { error } = JSON.parse(stdout);
		expect(error).toMatchObject({ code: 'RUN_RECORDS', message: expect.stringContaining(key) });
	});

	it('refuses a run whose adapter has another alpha', async () => {
		cpSync(inside('run'), inside('alpha'), { recursive: true });
		const file = inside('alpha/adapter/adapter_config.json');
		writeFileSync(file, readFileSync(file, 'utf8').replace(/"lora_alpha": [0-9.]+/, '"lora_alpha": 999'));
		const { code, stderr } = await vulntuneHere(['evaluate', 'alpha'], { cwd });
		expect([code, stderr]).toEqual([2, expect.stringContaining('method.alpha')]);
	});

	it.each([
		['threshold', 7],
		['threshold', '0.5'],
		['threshold', undefined],
		['baseFingerprint', { weights: 'x' }],
		['scale', 4],
	])('refuses an adapter beside which %s is %s', async (key, value) => {
		const name = `described-${key}-${value}`;
		cpSync(inside('run'), inside(name), { recursive: true });
		editAdapter(name, () => ({ [key]: value }));
		const { code, stdout } = await vulntuneHere(['evaluate', name, '--json'], { cwd });
		expect(code).toBe(2);
		const { error } = JSON.parse(stdout);
		expect(error).toMatchObject({ code: 'DETECTOR_DESCRIPTION', place: expect.stringContaining(key) });
	});

	it.each(['none', 'leaky'])('gives the same probabilities for packing %s', async (packing) => {
		const { predictions } = await evaluate(runWith(`run-${packing}`, { packing }));
		expect(predictions).toEqual(savedPredictions('test'));
	});

	it.each(['truncate', 'ignore'])(
		'scores long functions by their head under %s, and counts them',
		async (largeFunctions) => {
			const run = runWith(`run-${largeFunctions}`, { length: 24, largeFunctions });
			const { predictions, truncated } = await evaluate(run);
			expect(predictions.map(({ id }) => id)).toEqual(savedPredictions('test').map(({ id }) => id));
			for (const { probability } of predictions) expect(probability).toBeGreaterThan(0);
			expect(truncated).toBe(10);
			const { stdout } = await vulntuneHere(['evaluate', run], { cwd });
			expect(stdout).toContain('10 functions were longer than a sequence and scored by');
		},
	);

	it('scores long functions by windows', async () => {
		const run = runWith('run-window', { length: 24, largeFunctions: 'window' });
		const { predictions, truncated } = await evaluate(run);
		expect(predictions).toHaveLength(10);
		expect(truncated).toBe(0);
	});

	it("measures a run's predictions file as the run did", async () => {
		const { rows } = JSON.parse(readFileSync(inside('run/comparison.json'), 'utf8'));
		const { evaluation } = rows[0];
		const { code, stdout } = await vulntuneHere(
			[
				...['evaluate', '--predictions', 'run/predictions.test.jsonl', '--json'],
				...['--threshold', String(evaluation.threshold.value)],
			],
			{ cwd },
		);
		expect(code).toBe(0);
		expect(JSON.parse(stdout).evaluation).toEqual(evaluation);
	});

	it('says that a run without an adapter is not finished', async () => {
		cpSync(inside('run'), inside('begun'), { recursive: true });
		rmSync(path.join(inside('begun'), 'adapter'), { recursive: true });
		const { code, stderr } = await vulntuneHere(['evaluate', 'begun'], { cwd });
		expect(code).toBe(2);
		expect(stderr).toContain('--resume');
	});
});
