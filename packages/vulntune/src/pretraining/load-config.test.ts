import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { demoBaseConfig } from '../demo/base-config.ts';
import { loadPretrainConfig, pretrainingConfig } from './load-config.ts';
import { modelConfigJson } from './model-config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-pretrain-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string, overrides: Record<string, string> = {}) {
	writeFileSync(path.join(folder, 'c.yaml'), text);
	return loadPretrainConfig('c.yaml', { workingFolder: folder, homeFolder: '/someone', overrides });
}

describe('a pretraining config', () => {
	test('needs a source and nothing else', () => {
		const config = load('source: {type: generated}\nbackend: reference', { 'training.steps': '3' });
		expect(config).toMatchObject({
			source: { functions: 20_000, path: null },
			tokenizer: { from: null },
			training: { steps: 3, epochs: 1 },
			backend: { type: 'reference' },
		});
		expect(config.output).toMatch(/runs\/\d{4}-\d\d-\d\d-c$/);
	});

	test('resolves paths as other configs do', () => {
		const config = load('source: {type: folder, path: src}\ntokenizer: {from: ~/t}\noutput: out');
		expect(config.source.path).toBe(path.join(folder, 'src'));
		expect(config.tokenizer.from).toBe('/someone/t');
		expect(config.output).toBe(path.join(folder, 'out'));
	});

	test('has a line of docs for every option', () => {
		for (const { name, description } of pretrainingConfig.options)
			expect(description, name).toMatch(/^\S.{8,130}$/);
	});

	test('shows all faults at once, with line and nearest name', () => {
		const text =
			'source: {type: generatd}\nmodel:\n  hidenSize: 3\n  heads: 6\n  keyValueHeads: 4\nepochs: 2\n';
		const message = messageOf(() => load(text));
		expect(message).toContain('c.yaml:1: source.type: expected one of folder, jsonl, generated');
		expect(message).toContain('did you mean generated?');
		expect(message).toContain('c.yaml:3: model.hidenSize: unknown option, did you mean model.hiddenSize?');
		expect(message).toContain(
			'c.yaml:5: model.keyValueHeads: expected a divisor of model.heads (6), found 4',
		);
		expect(message).toContain('c.yaml:6: epochs: unknown option, did you mean training.epochs?');
	});

	test.each([
		['source: {type: folder}', 'source.path: required where source.type is folder'],
		['source: {type: generated, path: x}', 'source.path: expected none'],
		['{}', 'source.type: required, expected one of folder'],
		['source: 3', 'source: expected a section with type, path'],
		[
			'source: {type: generated}\nmodel: {hiddenSize: 30, heads: 10, keyValueHeads: 5}',
			'model.hiddenSize: expected an even number per head for 10 heads, found 30',
		],
		[
			'source: {type: generated}\nmodel: {maxPositions: 64}',
			'sequence.length: expected at most model.maxPositions (64), found 512',
		],
	])('refuses %j', (text, message) => {
		expect(messageOf(() => load(text))).toContain(message);
	});
});

test('the shipped config of the demo base describes its shape', () => {
	const file = fileURLToPath(new URL('../../../../configs/pretraining/demo-base.yaml', import.meta.url));
	const config = loadPretrainConfig(file, { workingFolder: folder });
	expect(modelConfigJson(config, { bosTokenId: 0, padTokenId: 0 }, 0)).toEqual(demoBaseConfig);
	expect(config.source).toMatchObject({ type: 'generated', collapseWhitespace: true });
});

function messageOf(action: () => unknown): string {
	try {
		action();
	} catch (error) {
		return (error as Error).message;
	}
	throw new Error('nothing was thrown');
}
