import { normalArray } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { delongOfRuns, pairedDelong } from './delong.ts';
import { twoSidedStudent } from './student.ts';

const labels = Array.from({ length: 60 }, (_, i) => i % 2);
/** Scores that tell the classes apart the better, the larger `strength`. */
const scores = (seed: number, strength: number) =>
	[...normalArray(7, seed, labels.length)].map((value, i) => value + strength * labels[i]!);
const [a, b, c, d] = [scores(1, 1), scores(2, 0.2), scores(3, 0.8), scores(4, 0.4)];

it('is the paired test where all runs are the same', () => {
	const paired = pairedDelong(labels, a, b);
	if (!('test' in paired) || paired.test.status !== 'ok') throw new Error('no test');
	const runs = delongOfRuns(labels, [
		{ a, b },
		{ a, b },
	])!;
	expect(runs.difference).toBeCloseTo(paired.difference, 12);
	expect(runs.p).toBeCloseTo(paired.test.p, 12);
});

/** Of each function the share of the other class that lies on its right side, counted one by one: [positives], [negatives]. */
function shares(values: readonly number[]): readonly [number[], number[]] {
	const rows = values.map((value, i) => ({ value, label: labels[i]! }));
	const of = (label: number) => rows.filter((row) => row.label === label).map(({ value }) => value);
	const share = (values: readonly number[], isRight: (value: number) => boolean) =>
		values.filter(isRight).length / values.length;
	const [negatives, positives] = [of(0), of(1)];
	return [
		positives.map((value) => share(negatives, (other) => other < value)),
		negatives.map((value) => share(positives, (other) => other > value)),
	];
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: readonly number[]) =>
	values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1);

it('adds up what functions and seeds vary by, with the seeds’ degrees of freedom', () => {
	const runs = [
		{ a, b },
		{ a: c, b: d },
		{ a: b, b: d },
	];
	const gaps = runs.map((run) => {
		const [ofA, ofB] = [shares(run.a), shares(run.b)];
		return [0, 1].map((side) => ofA[side]!.map((share, i) => share - ofB[side]![i]!));
	});
	const differences = gaps.map(([positives]) => mean(positives!));
	const ofFunctions = [0, 1].map((side) => {
		const means = gaps[0]![side]!.map((_, i) => mean(gaps.map((gap) => gap[side]![i]!)));
		return variance(means) / means.length;
	});
	const ofSeeds = variance(differences) / 3;
	const whole = ofFunctions[0]! + ofFunctions[1]! + ofSeeds;
	const p = twoSidedStudent(mean(differences) / Math.sqrt(whole), whole ** 2 / (ofSeeds ** 2 / 2));
	const found = delongOfRuns(labels, runs)!;
	expect(found.differences).toEqual(differences.map((one) => expect.closeTo(one, 12)));
	expect(found.difference).toBeCloseTo(mean(differences), 12);
	expect(found.p).toBeCloseTo(p, 9);
	expect(p).toBeGreaterThan(0.01);
});

it('has no p where nothing varies, and nothing to say of one class', () => {
	const equal = delongOfRuns(labels, [
		{ a, b: a },
		{ a: b, b },
	])!;
	expect(equal).toEqual({ difference: 0, differences: [0, 0], p: null });
	const opposite = delongOfRuns(labels, [
		{ a, b },
		{ a: b, b: a },
	])!;
	expect(opposite.difference).toBeCloseTo(0, 12);
	expect(opposite.p).toBeCloseTo(1, 9);
	const ones = labels.map(() => 1);
	expect(delongOfRuns(ones, [{ a, b }])).toBeUndefined();
});
