/** What commands print and runs write, against the schemas that the package ships. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { testBackend, writeTinyDataset } from '../tiny.ts';
import { projectRoot, vulntune } from './command-line.ts';
import { createProject } from './project.ts';
import { vulntuneHere } from './same-process.ts';

const file = path.join(projectRoot, 'packages/vulntune/schemas/outputs.schema.json');
const document = JSON.parse(readFileSync(file, 'utf8'));

/** What is wrong with a value under a definition of the document. */
function faultsOf(definition: string, value: unknown): string {
	expect(Object.keys(document.$defs)).toContain(definition);
	const schema = z.fromJSONSchema({ ...document, $ref: `#/$defs/${definition}` });
	const { error } = schema.safeParse(value);
	return error === undefined ? '' : z.prettifyError(error);
}

const { root: cwd, inside } = createProject({ train: 4, valid: 4, test: 4 });
const read = (name: string) => JSON.parse(readFileSync(inside(name), 'utf8'));
const lines = (name: string) =>
	readFileSync(inside(name), 'utf8')
		.trim()
		.split('\n')
		.map((line) => JSON.parse(line));
/** What a command prints; those that need a process of their own have one. */
const json = async (...argv: string[]) => {
	const run = ['pretrain', 'cross-validate', 'dataset'].includes(argv[0]!) ? vulntune : vulntuneHere;
	return JSON.parse((await run([...argv, '--json'], { cwd })).stdout);
};

const pretraining = `source: { type: generated, functions: 30 }
model: { vocabularySize: 300, hiddenSize: 8, intermediateSize: 8, layers: 1, heads: 2, keyValueHeads: 1 }
sequence: { length: 64 }
training: { steps: 3, accumulation: 1, precision: fp32 }
backend: ${testBackend}
output: pretrained
`;

describe('the schemas of the package', () => {
	let trained: unknown;
	beforeAll(async () => {
		trained = await json('train', 'config.yaml', '--training.epochs', '1', '--output', 'run');
		await json('train', 'config.yaml', '--output', 'ngrams', '--method.type', 'ngram');
		writeFileSync(inside('pretraining.yaml'), pretraining);
	});

	it.each(['run', 'ngrams'])('fit every file of %s', (run) => {
		expect(faultsOf('environment', read(`${run}/environment.json`))).toBe('');
		expect(faultsOf('data', read(`${run}/data.json`))).toBe('');
		expect(faultsOf('comparison', read(`${run}/comparison.json`))).toBe('');
		for (const line of lines(`${run}/metrics.jsonl`)) expect(faultsOf('metricsLine', line)).toBe('');
		for (const split of ['valid', 'test']) {
			for (const line of lines(`${run}/predictions.${split}.jsonl`)) {
				expect(faultsOf('predictionLine', line)).toBe('');
			}
		}
		for (const line of lines(`${run}/baselines.test.jsonl`)) expect(faultsOf('baselinesLine', line)).toBe('');
	});

	it('fit the times of a run', () => {
		for (const line of lines('run/timings.jsonl')) expect(faultsOf('timingsLine', line)).toBe('');
	});

	it('fit what commands print', async () => {
		expect(faultsOf('trainResult', trained)).toBe('');
		expect(faultsOf('trainResult', await json('train', 'run/config.yaml', '--resume'))).toBe('');
		expect(faultsOf('plan', await json('train', 'config.yaml', '--dry-run'))).toBe('');
		expect(faultsOf('evaluateResult', await json('evaluate', 'run'))).toBe('');
		expect(faultsOf('explanation', await json('explain', 'run', 'config.yaml'))).toBe('');
		const predictions = ['evaluate', '--predictions', 'run/predictions.test.jsonl'];
		expect(faultsOf('predictionsReport', await json(...predictions))).toBe('');
		expect(faultsOf('modelInfo', await json('model', 'info', 'model'))).toBe('');
		expect(faultsOf('modelInfo', await json('model', 'info', 'run'))).toBe('');
		const quantize = ['model', 'quantize', 'model', '--type', 'nf4', '--output', 'quantised'];
		expect(faultsOf('quantizeResult', await json(...quantize))).toBe('');
		const merge = ['model', 'merge', 'run', '--output', 'merged', '--compare', '1'];
		expect(faultsOf('mergeResult', await json(...merge))).toBe('');
		for (const form of ['gguf', 'onnx']) {
			const written = ['model', 'export', 'run', '--to', form, '--output', `model.${form}`];
			expect(faultsOf('exportResult', await json(...written)), form).toBe('');
		}
		expect(faultsOf('pretrainPlan', await json('pretrain', 'pretraining.yaml', '--dry-run'))).toBe('');
		expect(faultsOf('pretrainResult', await json('pretrain', 'pretraining.yaml'))).toBe('');
		expect(faultsOf('pretrainResult', await json('pretrain', 'pretraining.yaml', '--resume'))).toBe('');
		expect(faultsOf('doctor', await json('doctor'))).toBe('');
		expect(faultsOf('error', await json('train', 'absent.yaml'))).toBe('');
	});

	it('fit what experiments print', async () => {
		writeFileSync(
			inside('grid.yaml'),
			'config: config.yaml\naxes: { training.seed: [1] }\ncells: [{ method.type: ngram }]\n',
		);
		const here = (...argv: string[]) => json('experiment', ...argv);
		const run = ['run', 'grid.yaml', '--output', 'study', '--training.epochs', '1'];
		expect(faultsOf('studyPlan', await here(...run, '--dry-run'))).toBe('');
		expect(faultsOf('study', await here(...run))).toBe('');
		expect(faultsOf('study', await here('status', 'study'))).toBe('');
		const cell = await here('show', 'study', '0');
		expect(faultsOf('studyCell', cell)).toBe('');
		expect(faultsOf('studyReport', await here('report', 'study'))).toBe('');
		const table = ['export', 'study', '--format', 'csv'];
		expect(faultsOf('study', await here(...table))).toBe('');
		expect(faultsOf('studyExport', await here(...table, '--output', 'study.csv'))).toBe('');
		expect(faultsOf('cellComparison', await here('compare', 'study', '0', '1'))).toBe('');
		// the grid forgets a cell, the ledger keeps its run
		writeFileSync(inside('grid.yaml'), 'config: config.yaml\ncells: [{ method.type: ngram }]\n');
		expect(faultsOf('study', await here(...run))).toBe('');
		const forgotten = await here('show', 'study', cell.run);
		expect(forgotten).toMatchObject({ grid: null, position: null, run: cell.run, status: 'finished' });
		expect(faultsOf('studyCell', forgotten)).toBe('');
	});

	/** What an evaluation of a run with this temperature cautions of. */
	async function temperatureCaution(value: number): Promise<string> {
		cpSync(inside('run'), inside('warm'), { recursive: true });
		const file = inside('warm/adapter/vulntune.json');
		const description = JSON.parse(readFileSync(file, 'utf8'));
		description.calibration.temperature.value = value;
		writeFileSync(file, JSON.stringify(description));
		const { caution } = await json('evaluate', 'warm', '--calibration', 'temperature');
		return caution ?? '';
	}

	it('fit what commands print of data and detectors', async () => {
		expect(faultsOf('evaluateResult', await json('evaluate', 'run', '--calibration', 'isotonic'))).toBe('');
		expect(await temperatureCaution(100)).toContain('The temperature is at its bound of 100');
		expect(await temperatureCaution(2)).not.toContain('temperature');
		const asked = ['--model', 'model', '--data', 'data', '--backend', testBackend];
		expect(faultsOf('zeroShotResult', await json('evaluate', '--zero-shot', ...asked))).toBe('');
		const planned = await json('evaluate', '--zero-shot', ...asked, '--dry-run');
		expect(faultsOf('scoringPlan', planned)).toBe('');
		expect(faultsOf('scoringPlan', await json('evaluate', 'run', '--dry-run'))).toBe('');
		expect(faultsOf('scoringPlan', await json('evaluate', 'ngrams', '--dry-run'))).toBe('');
		const predictions = ['evaluate', '--predictions', 'run/predictions.test.jsonl'];
		const against = ['--against', 'ngrams/predictions.test.jsonl'];
		expect(faultsOf('predictionsReport', await json(...predictions, ...against))).toBe('');
		writeTinyDataset(inside('many'), { train: 24, valid: 2, test: 2 });
		const ngrams = ['--method.type', 'ngram', '--data.path', 'many'];
		const folds = ['cross-validate', 'config.yaml', ...ngrams, '--folds', '2'];
		const plan = await json(
			'cross-validate',
			'config.yaml',
			'--data.path',
			'many',
			'--folds',
			'2',
			'--dry-run',
		);
		expect(faultsOf('crossValidationPlan', plan)).toBe('');
		expect(faultsOf('crossValidationPlan', await json(...folds, '--dry-run'))).toBe('');
		expect(faultsOf('crossValidation', await json(...folds, '--output', 'folds'))).toBe('');
		for (const line of lines('folds/predictions.oof.jsonl'))
			expect(faultsOf('predictionLine', line)).toBe('');
		expect(faultsOf('audit', await json('dataset', 'audit', 'data', '--html', 'audit.html'))).toBe('');
		expect(readFileSync(inside('audit.html'), 'utf8')).toContain('<h1>Leak audit of data</h1>');
		expect(faultsOf('inspection', await json('dataset', 'inspect', 'data'))).toBe('');
		const split = ['dataset', 'split', 'data', '--by', 'commit', '--parts', '0.4,0.3,0.3'];
		expect(faultsOf('splitReport', await json(...split, '--output', 'split'))).toBe('');
	});

	it('notice another value', () => {
		const [step] = lines('run/metrics.jsonl');
		expect(faultsOf('metricsLine', { ...step, loss: 'low' })).not.toBe('');
		expect(faultsOf('metricsLine', { ...step, type: undefined })).not.toBe('');
		expect(faultsOf('metricsLine', { ...step, more: 1 })).not.toBe('');
		const { verdict: _verdict, ...rest } = read('run/comparison.json');
		expect(faultsOf('comparison', rest)).not.toBe('');
	});

	it('stand in the documents', () => {
		const text = readFileSync(path.join(projectRoot, 'docs/run-folder.md'), 'utf8');
		for (const name of Object.keys(document.$defs)) expect(text).toContain(`\`${name}\``);
	});
});
