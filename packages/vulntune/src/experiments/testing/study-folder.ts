import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll } from 'vitest';
import { writeSampleRun } from '../../report/testing/sample-run.ts';
import { runFolder } from '../../run/run-folder.ts';
import { createIdentifier } from '../identify.ts';
import type { ComputeRun, StudyRequest } from '../run-study.ts';

/** Test helper: a folder with a dataset, a config of n-grams (which need no model) and grids. */
export function studyFolder() {
	const root = mkdtempSync(path.join(tmpdir(), 'vulntune-study-'));
	afterAll(() => rmSync(root, { recursive: true, force: true }));
	const inside = (name: string) => path.join(root, name);
	const rows = [0, 1].map((label) =>
		JSON.stringify({ idx: label, code: `int f() { return ${label}; }`, target: label }),
	);
	for (const split of ['train', 'valid', 'test'])
		writeFileSync(inside(`${split}.jsonl`), `${rows.join('\n')}\n`);
	writeFileSync(inside('config.yaml'), 'model: none\ndata: { path: . }\nmethod: { type: ngram }\n');
	return {
		root,
		inside,
		write: (name: string, text: string): string => {
			writeFileSync(inside(name), text);
			return inside(name);
		},
	};
}

/** A request for all cells of a grid. */
export function requestOf(grid: string, output: string, more: Partial<StudyRequest> = {}): StudyRequest {
	return {
		grid,
		output,
		only: [],
		cell: undefined,
		overrides: {},
		reuse: [],
		threads: null,
		log: null,
		...more,
	};
}

/** Signals that nobody hears. */
export const silent = { emit: () => {}, interrupted: () => false };

/** Computes nothing: writes the folder of a finished run, and notes which seeds it was called for. */
export function standIn(computed: number[]): ComputeRun {
	return async (config) => {
		const { output } = config;
		const { seed } = config.training;
		computed.push(seed);
		template ??= writeSampleRun(mkdtempSync(path.join(tmpdir(), 'vulntune-sample-')));
		cpSync(template, output, { recursive: true });
		const { metrics, environment } = runFolder(output);
		const { run } = await createIdentifier().entryOf({ name: '', settings: new Map(), config }, 0);
		const written = JSON.parse(readFileSync(environment, 'utf8'));
		const base = run.baseFingerprint === null ? {} : { base: JSON.parse(run.baseFingerprint) };
		const own = { ...written, datasetHash: run.datasetHash, fingerprint: run.id, ...base };
		writeFileSync(environment, JSON.stringify(own));
		writeFileSync(
			metrics,
			readFileSync(metrics, 'utf8').replaceAll('"rocAuc":0.5,', `"rocAuc":${seed / 1000},`),
		);
		return { status: 'alreadyFinished', output };
	};
}

/** Fitting its baselines takes most of a run's time: it is made once. */
let template: string | undefined;
process.on('exit', () => template !== undefined && rmSync(template, { recursive: true, force: true }));
