/** `vulntune explain` and the lines of `vulntune evaluate`, as a user calls them. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { tinyShapes, writeTinyModel } from '../tiny.ts';
import { projectRoot } from './command-line.ts';
import { createProject } from './project.ts';
import { vulntuneHere } from './same-process.ts';

const { root: cwd, inside } = createProject({ train: 6, valid: 6, test: 6 });
const source = 'class A {\n\tint get(int[] data, int i) {\n\t\tunchecked(i);\n\t\treturn data[i];\n\t}\n}\n';

async function run(...argv: string[]) {
	const { code, stdout, stderr } = await vulntuneHere(argv, { cwd });
	return { code, stdout, stderr };
}

async function json(...argv: string[]) {
	const { code, stdout, stderr } = await run(...argv, '--json');
	expect(code, stderr).toBe(0);
	return JSON.parse(stdout);
}

interface ExplainedLine {
	readonly number: number;
	readonly text: string;
	readonly score: number;
}

const { $defs } = JSON.parse(
	readFileSync(path.join(projectRoot, 'packages/vulntune/schemas/outputs.schema.json'), 'utf8'),
);

describe('a function and its lines', () => {
	beforeAll(async () => {
		writeTinyModel(inside('encoder'), tinyShapes.bert);
		const once = ['--training.epochs', '1'];
		await json('train', 'config.yaml', '--output', 'decoder-run', ...once);
		const encoder = ['--model', 'encoder', '--head.pool', 'first', '--head.hidden', '16', '--head.bias'];
		await json('train', 'config.yaml', '--output', 'encoder-run', ...encoder, ...once);
		await json('train', 'config.yaml', '--output', 'ngrams', '--method.type', 'ngram');
		writeFileSync(inside('A.java'), source);
		// rows that say which function a fix belongs to, and have lines
		const rows = readFileSync(inside('data/test.jsonl'), 'utf8')
			.trim()
			.split('\n')
			.map((line) => JSON.parse(line));
		const lines = rows.map((row) =>
			JSON.stringify({ ...row, function_name: 'f', code: row.code.replaceAll('; ', ';\n\t') }),
		);
		writeFileSync(inside('data/test.jsonl'), `${lines.join('\n')}\n`);
	});

	it('are printed with the score of the whole, by attention in an encoder and by gradient in a decoder', async () => {
		for (const [name, method] of [
			['encoder-run', 'attention'],
			['decoder-run', 'gradient'],
		] as const) {
			const explained = await json('explain', name, 'A.java');
			expect(explained).toMatchObject({ schema: 'vulntune.explanation/1', place: 'A.java', method });
			expect(explained.lines.map(({ text }: ExplainedLine) => text)).toEqual(source.trimEnd().split('\n'));
			expect(new Set(explained.lines.map(({ score }: ExplainedLine) => score)).size).toBe(6);
			const { stdout } = await run('explain', name, 'A.java');
			expect(stdout).toMatch(/A\.java: 0\.\d{3} vulnerable, (at or above|below) the threshold of 0\.\d{3}/);
			expect(stdout).toContain('return data[i];');
			expect(stdout).toMatch(/^\d [+-]{10} /m);
		}
	});

	it('may be lines of a file, numbered as there, by the method that is asked for', async () => {
		const explained = await json(
			'explain',
			'encoder-run',
			'A.java',
			'--lines',
			'2-5',
			'--method',
			'gradient',
		);
		expect(explained).toMatchObject({ place: 'A.java:2-5', method: 'gradient' });
		expect(explained.lines.map(({ number }: ExplainedLine) => number)).toEqual([2, 3, 4, 5]);
	});

	it('may be a row, whose score is that of evaluate', async () => {
		const { predictions } = await json('evaluate', 'encoder-run');
		const { id, probability } = predictions[1];
		expect(await json('explain', 'encoder-run', '--id', String(id))).toMatchObject({
			place: `test ${id}`,
			probability,
		});
	});

	it('are measured by evaluate where fixes are there', async () => {
		const { lines } = await json('evaluate', 'encoder-run', '--lines');
		expect(
			z.fromJSONSchema({ $ref: '#/$defs/lineEvaluation', $defs }).safeParse(lines).error,
		).toBeUndefined();
		expect(lines).toMatchObject({ functions: 6, flawedFunctions: 3, flawedLines: 3 });
		expect(lines.rows.map(({ name }: { name: string }) => name)).toEqual([
			'attention',
			'gradient',
			'longest',
			'topDown',
		]);
		const decoder = await run('evaluate', 'decoder-run', '--lines');
		expect(decoder.stdout).toMatch(/^gradient .*\n^longest first .*\n^top down /m);
		expect((await json('evaluate', 'decoder-run')).lines).toBeUndefined();
	});

	it.each([
		[['explain', 'decoder-run', 'A.java', '--method', 'attention'], 'ATTRIBUTION_NOT_ENCODER'],
		[['explain', 'ngrams', 'A.java'], 'SCORER_NGRAM'],
		[['explain', 'encoder-run'], 'USAGE'],
		[['explain', 'encoder-run', 'A.java', '--id', '3'], 'USAGE'],
		[['explain', 'encoder-run', 'A.java', '--split', 'valid'], 'USAGE'],
		[['explain', 'encoder-run', '--id', '3', '--lines', '1-2'], 'USAGE'],
		[['explain', 'encoder-run', 'A.java', '--lines', '5-2'], 'USAGE'],
		[['explain', 'encoder-run', 'A.java', '--lines', '0-2'], 'USAGE'],
		[['explain', 'encoder-run', 'A.java', '--lines', '5-7'], 'USAGE'],
		[['explain', 'encoder-run', 'A.java', '--lines', 'all'], 'USAGE'],
		[['explain', 'encoder-run', '--id', 'absent'], 'FUNCTION_NOT_FOUND'],
		[['explain', 'encoder-run', 'absent.java'], 'FILE_NOT_FOUND'],
		[['evaluate', 'ngrams', '--lines'], 'USAGE'],
		[['evaluate', 'encoder-run', '--split', 'valid', '--lines'], 'LINES_UNKNOWN'],
		[['evaluate', '--predictions', 'encoder-run/predictions.test.jsonl', '--lines'], 'USAGE'],
	])('%j is refused with %s', async (argv, code) => {
		const { code: exit, stdout } = await run(...argv, '--json');
		expect(JSON.parse(stdout).error).toMatchObject({ code });
		expect(exit).toBe(2);
	});

	it('are refused where there is nothing in the file', async () => {
		writeFileSync(inside('empty.java'), '\n \n');
		const { stdout } = await run('explain', 'encoder-run', 'empty.java', '--json');
		expect(JSON.parse(stdout).error.code).toBe('FUNCTION_EMPTY');
	});

	it('are refused in a file that is no text, and begin behind a byte-order mark', async () => {
		writeFileSync(inside('bytes.java'), Buffer.from([0xff, 0xfe, 0x00]));
		const { stdout } = await run('explain', 'encoder-run', 'bytes.java', '--json');
		expect(JSON.parse(stdout).error.code).toBe('FILE_NOT_TEXT');
		writeFileSync(inside('marked.java'), `\uFEFF${source}`);
		const [marked, plain] = [
			await json('explain', 'encoder-run', 'marked.java'),
			await json('explain', 'encoder-run', 'A.java'),
		];
		expect(marked.lines).toEqual(plain.lines);
	});
});
