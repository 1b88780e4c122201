import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createReferenceBackend, elements, hashStream, makeFolder, normalArray } from '@vulntune/engine';
import {
	temporaryFolder,
	tinyConfig,
	tinyShapes,
	writeTinyDataset,
	writeTinyModel,
} from '../../../../../tests/tiny.ts';
import { fitNgram } from '../../baselines/ngram/model.ts';
import type { StackedNgram } from '../../baselines/ngram/stack.ts';
import { writtenStack } from '../../baselines/ngram/stack-file.ts';
import { describeConfig } from '../../fine-tuning/describe-run.ts';
import { type DetectorDescription, STACK_FILE } from '../../methods/description.ts';
import { saveDetector } from '../../methods/saved-detector.ts';
import { openBase } from '../../model/open-base.ts';
import { createDetectorOf, methodOf } from '../../scoring/configured-detector.ts';
import { scoringOf } from '../../scoring/scoring-options.ts';

/** config.json of a tiny model. */
export type TinyShape = Readonly<Record<string, unknown>> & { readonly architectures: readonly string[] };

/** What a made run's config may have otherwise: `{'method.type': 'qlora'}`. */
export type MadeOptions = Readonly<Record<string, string>>;

/** n-grams of two functions. */
const madeStack: StackedNgram = {
	model: fitNgram(
		[
			{ text: 'int f(int a) { return a; }', label: 0 },
			{ text: 'String g() { return run("x"); }', label: 1 },
		],
		{ minDocumentFrequency: 1 },
	),
	mean: 0.25,
	deviation: 2,
};

/**
 * A run folder with a detector of random matrices on a tiny model, as if it had been trained: config, adapter and dataset, no metrics.
 *
 * @returns the run, and the folder of its base
 */
export function makeRun(
	options: MadeOptions = {},
	shape: TinyShape = tinyShapes.llama,
	root = temporaryFolder(),
	changeTokenizer: (json: Record<string, unknown>) => void = () => {},
): { readonly run: string; readonly model: string } {
	const model = writeTinyModel(path.join(root, 'model'), shape);
	const tokenizer = path.join(model, 'tokenizer.json');
	const json = JSON.parse(readFileSync(tokenizer, 'utf8'));
	changeTokenizer(json);
	writeFileSync(tokenizer, JSON.stringify(json));
	const rows = writeTinyDataset(path.join(root, 'data'), { train: 2, valid: 3, test: 2 });
	const run = path.join(root, 'run');
	const config = tinyConfig({ model, data: rows, output: run }, options);
	const base = openBase(config);
	const backend = createReferenceBackend();
	const detector = createDetectorOf(config, backend, base.folder);
	if (config.method.type !== 'full') {
		for (const { name, shape: size } of detector.parameters.specs) {
			backend.upload(detector.parameters.get(name), normalArray(3, hashStream(name), elements(size), 0.3));
		}
	}
	const scoring = scoringOf(config, base.tokenizer, base.folder.config);
	makeFolder(run);
	const stack = config.method.stack === null ? undefined : writtenStack(madeStack);
	const data = { tokenizer: base.tokenizer, scoring };
	const described = describeConfig({ config, data, base, stack: stack?.description });
	const description: DetectorDescription = { ...described, threshold: 0.5, epoch: 1 };
	const companions = stack && { [STACK_FILE]: stack.text };
	saveDetector(path.join(run, 'adapter'), detector, methodOf(config), description, companions);
	// JSON is YAML
	writeFileSync(path.join(run, 'config.yaml'), JSON.stringify(config));
	detector.free();
	backend.close();
	base.close();
	return { run, model };
}
