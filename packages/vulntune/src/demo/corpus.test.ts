import { expect, test } from 'vitest';
import { generateCorpus } from './corpus.ts';
import { generateDemoDataset } from './dataset.ts';

const corpus = [...generateCorpus({ seed: 1, functions: 2000 })];

test('the same seed gives the same corpus', () => {
	expect([...generateCorpus({ seed: 1, functions: 2000 })]).toEqual(corpus);
	expect([...generateCorpus({ seed: 2, functions: 5 })]).not.toEqual(corpus.slice(0, 5));
});

test('a longer corpus begins with the shorter one', () => {
	const first = corpus.slice(0, 100);
	expect([...generateCorpus({ seed: 1, functions: 3000 })].slice(0, 100)).toEqual(first);
});

test('no function of any demo dataset is named in it', () => {
	const text = corpus.join('\n');
	for (const seed of [1, 2]) {
		const { train, valid, test: tested } = generateDemoDataset({ seed, pairs: 200 });
		for (const row of [...train, ...valid, ...tested]) expect(text).not.toContain(` ${row.function_name}(`);
	}
});

test('it holds classes and lone functions, and no label', () => {
	const classes = corpus.filter((text) => text.startsWith('public class'));
	expect(classes.length).toBeGreaterThan(20);
	expect(corpus.length - classes.length).toBeGreaterThan(500);
	expect(corpus.join('\n')).not.toMatch(/vulnerab|synthetic|CWE-|\{\w+\}|undefined/i);
});
