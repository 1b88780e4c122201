import { createReferenceBackend } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { stackedScores } from '../baselines/ngram/stack.ts';
import { openScorer } from '../evaluation/scorer.ts';
import { loadSavedDetector } from '../scoring/configured-detector.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import { logitsOf } from './compare-logits.ts';
import { openExported } from './open-exported.ts';
import { makeRun } from './testing/made-run.ts';

it('gives each function the logits of its own tokens and its own n-grams, which are those of its score', async () => {
	const { run } = makeRun({ 'method.stack': 'ngram' });
	const overrides = { 'backend.type': 'reference' };
	const texts = ['int f(int a) { return a; }', 'String g() { return run("x"); }', 'void h() { run("x"); }'];
	const { adapter, base, config, stack } = openExported({ run, overrides, allowOtherBase: false }, () => {});
	const backend = createReferenceBackend();
	const detector = loadSavedDetector(config, backend, base.folder, adapter);
	const seen = stackedScores(stack!, texts);
	expect(new Set(seen).size).toBe(3);
	const tokens = texts.map((text) => base.tokenizer.encode(text));
	const scoring = scoringOf(config, base.tokenizer, base.folder.config);
	const logits = logitsOf(detector, { tokens, stackedScores: seen }, scoring);
	const scorer = await openScorer(run, { overrides });
	const scores = await Array.fromAsync(scorer.score(texts));
	for (const [i, [no, yes]] of logits.entries()) {
		expect(1 / (1 + Math.exp(no! - yes!)), texts[i]).toBeCloseTo(scores[i]!, 5);
	}
	scorer.free();
	detector.free();
	backend.close();
	base.close();
});
