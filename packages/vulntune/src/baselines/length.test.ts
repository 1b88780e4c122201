import { expect, test } from 'vitest';
import { fitBaselines } from './fit-baselines.ts';
import { directionOfScores, lengthDirection, lengthScores } from './length.ts';

const row = (length: number, label: 0 | 1) => ({ text: 'x'.repeat(length), label });

test('the length is read in the direction that training has, and the threshold follows', () => {
	const longer = [row(9, 1), row(4, 0), row(7, 1), row(8, 0), row(1, 0)];
	const shorter = longer.map(({ text, label }) => ({
		text,
		label: label === 1 ? (0 as const) : (1 as const),
	}));
	expect(lengthDirection(longer)).toBe('longer');
	expect(lengthDirection(shorter)).toBe('shorter');
	// validation says the opposite, and doesn't choose
	const { length } = fitBaselines(longer, [row(3, 1), row(6, 0)]);
	expect(length).toEqual({ direction: 'longer', threshold: lengthScores(['xxx'], 'longer')[0] });
});

test('rows of one class or of one length say nothing, so that the shorter are taken', () => {
	expect(lengthDirection([row(2, 1), row(3, 1)])).toBe('shorter');
	expect(lengthDirection([row(2, 1), row(2, 0)])).toBe('shorter');
	expect(lengthDirection([])).toBe('shorter');
});

test('scores rise with the length or fall, between 0 and 1', () => {
	expect([...lengthScores(['', 'xxx'])]).toEqual([1, 0.25]);
	expect([...lengthScores(['', 'xxx'], 'longer')]).toEqual([0, 0.75]);
});

test.each(['shorter', 'longer'] as const)('scores say that they were made %s first', (direction) => {
	const texts = ['', 'x', 'xx', 'xxxxxxxx'];
	expect(directionOfScores([...lengthScores(texts, direction)])).toBe(direction);
});
