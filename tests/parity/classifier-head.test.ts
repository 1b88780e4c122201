import path from 'node:path';
import { openModelFolder, openSafetensors, toFloat32 } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import { createDetector } from 'vulntune';
import { classLogits } from '../../packages/vulntune/src/methods/head.ts';
import { functionStates } from '../../packages/vulntune/src/objectives/hidden-states.ts';
import { inArena } from '../../packages/vulntune/src/scoring/micro-batch.ts';
import { backendsUnderTest } from '../backends.ts';
import { needsShared } from '../shared.ts';
import { packOf } from './detectors.ts';
import { readGolden, readJson, relativeDifference } from './golden.ts';
import { type EncoderBatch, segmented } from './packs.ts';

/** What transformers' RobertaClassificationHead calls its parts, which LineVul's own copy shares. */
const names = {
	'score.dense.weight': 'classifier.dense.weight',
	'score.dense.bias': 'classifier.dense.bias',
	'score.weight': 'classifier.out_proj.weight',
	'score.bias': 'classifier.out_proj.bias',
};

const fixture = needsShared('fixtures/models/roberta-seqcls');

describe.skipIf(fixture.skip).each(backendsUnderTest())("LineVul's head on $name", ({ create }) => {
	it('gives the logits of RobertaForSequenceClassification', () => {
		const backend = create();
		const folder = openModelFolder(fixture.path);
		const head = { pool: 'first', hidden: folder.config.hiddenSize, bias: true } as const;
		const detector = createDetector(backend, folder, {
			...{ method: { type: 'head' }, base: 'fp32', doubleQuantization: false, start: undefined },
			...{ head, maxPositions: 64, seed: 1 },
		});
		const stored = openSafetensors(path.join(fixture.path, 'model.safetensors'));
		for (const [own, theirs] of Object.entries(names)) {
			backend.upload(detector.parameters.get(own), toFloat32(stored.read(theirs), 'F32'));
		}
		stored.close();
		const batch = segmented<EncoderBatch>(readJson(fixture.path, 'golden.json').batch);
		const functions = batch.input_ids.length;
		const pack = packOf({
			...batch,
			pool: batch.input_ids.map((_, row) => [row, 0]),
			labels: new Array(functions),
		});
		const logits = inArena(backend, 'fp32', { tape: undefined, dropoutSeed: undefined }, (context) => {
			const states = functionStates(context, detector, head.pool, pack, false); // [F, H]
			return [...backend.download(classLogits(context, detector.parameters, head, states))]; // [F, 2]
		});
		const golden = readGolden(path.join(fixture.path, 'golden.safetensors')).get('batch.logits')!;
		expect(relativeDifference(logits, golden.values)).toBeLessThan(2e-5);
		detector.free();
		folder.close();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});
});
