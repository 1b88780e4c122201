import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseModelConfig } from '@vulntune/engine';
import { checkTokenizer, loadTokenizer } from '@vulntune/engine/formats/tokenizer/load-tokenizer.ts';
import { writeTokenizer } from '@vulntune/engine/formats/tokenizer-training/write-tokenizer.ts';
import { afterAll, expect, test } from 'vitest';
import { collapseWhitespace } from '../data/whitespace.ts';
import { demoBaseConfig } from './base-config.ts';
import { generateDemoDataset } from './dataset.ts';
import { trainDemoTokenizer } from './demo-tokenizer.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-demo-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('the tokenizer fits the base, and keeps the demo functions short', () => {
	writeTokenizer(folder, trainDemoTokenizer({ seed: 2, functions: 3000 }));
	const tokenizer = loadTokenizer(folder);
	checkTokenizer(tokenizer, parseModelConfig(demoBaseConfig, 'config.json'));
	const { train } = generateDemoDataset({ seed: 1, pairs: 150 });
	const lengths = train
		.map((row) => tokenizer.encode(collapseWhitespace(row.code)).length)
		.sort((a, b) => a - b);
	const median = lengths[lengths.length >> 1]!;
	expect(median).toBeGreaterThan(60);
	expect(median).toBeLessThan(120);
	expect(lengths.at(-1)).toBeLessThan(200);
});
