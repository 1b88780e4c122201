import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
	checkTokenizer,
	createReferenceBackend,
	loadModel,
	loadTokenizer,
	openModelFolder,
} from '@vulntune/engine';
import { afterAll, expect, test } from 'vitest';
import { collapseWhitespace } from '../data/whitespace.ts';
import { generateCorpus } from '../demo/corpus.ts';
import { loadPretrainConfig } from './load-config.ts';
import { modelConfigJson, toModelConfig } from './model-config.ts';
import { measureSequence } from './pass.ts';
import { buildSequence, countTargets, planSequences } from './sequences.ts';

const root = (name: string) => fileURLToPath(new URL(`../../../../${name}`, import.meta.url));
const place = root('packages/vulntune/assets/demo-base');
const folder = openModelFolder(place);
afterAll(() => folder.close());
const tokenizer = loadTokenizer(place);

test('the embedded base has the shape of its config and takes at most 15 MB', () => {
	const config = loadPretrainConfig(root('configs/pretraining/demo-base.yaml'));
	checkTokenizer(tokenizer, folder.config);
	expect(folder.config).toEqual(toModelConfig(modelConfigJson(config, tokenizer, tokenizer.separatorId!)));
	const bytes = readdirSync(place).reduce((sum, name) => sum + statSync(path.join(place, name)).size, 0);
	expect(bytes).toBeLessThan(15e6);
});

test('the embedded base knows the language of functions that it never saw', () => {
	const texts = generateCorpus({ seed: 5, functions: 8 });
	const tokens = Array.from(texts, (text) => tokenizer.encode(collapseWhitespace(text)));
	const plan = planSequences(
		tokens.map((ids) => ids.length),
		512,
		1,
		1,
	);
	const backend = createReferenceBackend();
	const { model, free } = loadModel(backend, folder, {
		base: 'bf16',
		doubleQuantization: false,
		maxPositions: 512,
	});
	const settings = { backend, model, precision: 'fp32', checkpointing: false } as const;
	let sum = 0;
	for (const pieces of plan)
		sum += measureSequence(buildSequence(pieces, tokens, tokenizer.separatorId!), settings);
	const targets = plan.reduce((total, pieces) => total + countTargets(pieces), 0);
	expect(Math.exp(sum / targets)).toBeLessThan(2);
	free();
	backend.close();
});
