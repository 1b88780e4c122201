import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readPeftAdapter } from '@vulntune/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeRun } from '../export/testing/made-run.ts';
import { STACK_FILE } from '../methods/description.ts';
import { readAdapterInfo } from '../model/adapter-info.ts';
import { describeAdapter } from '../model/info-text.ts';
import { explainFunction } from './explain-function.ts';
import { openScorer, type Scorer, stackHasNoLines } from './scorer.ts';

const overrides = { 'backend.type': 'reference' };
const code = 'int f(int a) {\n  return run(a);\n}';

async function scored<Result>(run: string, body: (scorer: Scorer) => Promise<Result>): Promise<Result> {
	const scorer = await openScorer(run, { overrides });
	try {
		return await body(scorer);
	} finally {
		scorer.free();
	}
}

describe('a detector whose head sees n-grams', () => {
	let run: string;
	beforeAll(() => {
		run = makeRun({ 'method.stack': 'ngram' }).run;
	});
	const refusal = (edit: () => () => void) => {
		const undo = edit();
		return openScorer(run, { overrides }).then(
			(scorer) => scorer.free(),
			(error) => {
				undo();
				return error.code;
			},
		);
	};

	it('lays to lines what the same model without them lays to them, and says so', async () => {
		const explain = (of: string) => scored(of, (scorer) => scorer.explain([code], 'gradient'));
		expect(await explain(run)).toEqual(await explain(makeRun().run));
		const file = path.join(run, 'f.java');
		writeFileSync(file, code);
		const notes: string[] = [];
		const source = { file, lines: undefined };
		const options = { run, source, method: undefined, overrides, allowOtherBase: false };
		const explained = await explainFunction(options, (line) => notes.push(line));
		expect(notes).toContain(stackHasNoLines);
		expect(explained.linesLeaveOut).toBe('ngram');
		const plain = await explainFunction({ ...options, run: makeRun().run }, () => {});
		expect(plain.linesLeaveOut).toBeNull();
	});

	it('is told from one without', () => {
		const adapter = path.join(run, 'adapter');
		expect(describeAdapter(readAdapterInfo(adapter))).toMatch(
			/score\.stack\.weight \[2, 1\].*stacked on +n-grams/s,
		);
		// PEFT is not told that it could run such a head
		expect(JSON.parse(readFileSync(path.join(adapter, 'adapter_config.json'), 'utf8')).task_type).toBe(
			'FEATURE_EXTRACTION',
		);
		expect(readPeftAdapter(adapter).head.get('score.stack.weight')?.shape).toEqual([2, 1]);
	});

	it('is refused by name where its n-grams are missing, others or damaged', async () => {
		const file = path.join(run, 'adapter', STACK_FILE);
		const away = `${file}.away`;
		const missing = () => {
			renameSync(file, away);
			return () => renameSync(away, file);
		};
		const changed = (change: (text: string) => string) => () => {
			const text = readFileSync(file, 'utf8');
			writeFileSync(file, change(text));
			return () => writeFileSync(file, text);
		};
		expect(await refusal(missing)).toBe('STACK_FILE');
		expect(await refusal(changed((text) => text.replace('"documents": 2', '"documents": 3')))).toBe(
			'STACK_FILE',
		);
		expect(await refusal(changed((text) => text.slice(0, -9)))).toBe('STACK_FILE');
		expect(await refusal(() => () => {})).toBeUndefined();
	});

	it('is refused where what is said of them is gone, or can not be', async () => {
		const described = (change: (stack: Record<string, unknown>) => unknown) => () => {
			const file = path.join(run, 'adapter', 'vulntune.json');
			const text = readFileSync(file, 'utf8');
			const json = JSON.parse(text);
			writeFileSync(file, JSON.stringify({ ...json, stack: change(json.stack) }));
			return () => writeFileSync(file, text);
		};
		expect(await refusal(described(() => undefined))).toBe('RUN_RECORDS');
		for (const change of [{ type: 'words' }, { mean: null }, { deviation: 0 }, { hash: 1 }, { scale: 2 }]) {
			expect(await refusal(described((stack) => ({ ...stack, ...change })))).toBe('DETECTOR_DESCRIPTION');
		}
	});
});
