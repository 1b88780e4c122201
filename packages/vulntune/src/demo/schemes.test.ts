import { expect, test } from 'vitest';
import { createDraw } from './draw.ts';
import { drawPair, type FunctionPair, weaknessIds } from './pair.ts';
import { choiceSchemeWeights, flowSchemeWeights, type Scheme } from './schemes.ts';

const pairs = Array.from({ length: 1500 }, (_, number) =>
	drawPair(createDraw(7, `pair/${number}`), 'dataset', number % weaknessIds.length),
);

function ofScheme(scheme: Scheme): FunctionPair[] {
	const found = pairs.filter((pair) => pair.scheme === scheme);
	expect(found.length).toBeGreaterThan(20);
	return found;
}

const sortedLines = (code: string) => code.split('\n').sort();
const sortedWords = (code: string) => code.match(/\w+/g)!.sort();
const skeleton = (code: string) => code.replace(/\w+/g, 'w');

test('every scheme occurs, and the versions of a pair always differ', () => {
	const schemes = new Set(pairs.map((pair) => pair.scheme));
	expect([...schemes].sort()).toEqual(
		[...Object.keys(flowSchemeWeights), ...Object.keys(choiceSchemeWeights)].sort(),
	);
	for (const pair of pairs) expect(pair.vulnerable).not.toBe(pair.fixed);
});

test.each(['lateCheck', 'staleCheck'] as const)('%s: the same lines in another order', (scheme) => {
	for (const pair of ofScheme(scheme)) expect(sortedLines(pair.vulnerable)).toEqual(sortedLines(pair.fixed));
});

test.each(['cleanedCopyUnused', 'checkWithoutExit', 'swappedMeans', 'swappedVariables'] as const)(
	'%s: the same words in other places',
	(scheme) => {
		for (const pair of ofScheme(scheme))
			expect(sortedWords(pair.vulnerable)).toEqual(sortedWords(pair.fixed));
	},
);

test('wrongVariable: only names differ', () => {
	for (const pair of ofScheme('wrongVariable')) expect(skeleton(pair.vulnerable)).toBe(skeleton(pair.fixed));
});

test('cleaningMisplaced: the same number of cleanings, at other places', () => {
	for (const pair of ofScheme('cleaningMisplaced')) {
		expect(sortedWords(pair.vulnerable)).toHaveLength(sortedWords(pair.fixed).length);
		expect(skeleton(pair.vulnerable)).not.toBe(skeleton(pair.fixed));
	}
});

test('negatedCondition: one line differs', () => {
	for (const pair of ofScheme('negatedCondition')) {
		const fixed = pair.fixed.split('\n');
		const changed = pair.vulnerable.split('\n').filter((line, index) => line !== fixed[index]);
		expect(changed).toHaveLength(1);
	}
});

test('missingCheck: the check is gone, something beside the point stands in its place', () => {
	for (const pair of ofScheme('missingCheck')) {
		const vulnerable = new Set(pair.vulnerable.split('\n'));
		const removed = pair.fixed.split('\n').filter((line) => !vulnerable.has(line));
		expect(removed.some((line) => /^ +if \(/.test(line))).toBe(true);
	}
});

test('most pairs differ in what refers to what, not in their words', () => {
	const plain = pairs.filter((pair) => pair.scheme === 'missingCheck' || pair.scheme === 'weakOnly');
	expect(plain.length / pairs.length).toBeGreaterThan(0.1);
	expect(plain.length / pairs.length).toBeLessThan(0.3);
});

test('the lengths of the versions tell little', () => {
	const mean = (lengths: number[]) => lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
	const vulnerable = mean(pairs.map((pair) => pair.vulnerable.length));
	const fixed = mean(pairs.map((pair) => pair.fixed.length));
	expect(fixed / vulnerable).toBeGreaterThan(0.98);
	expect(fixed / vulnerable).toBeLessThan(1.04);
});
