import { expect, it } from 'vitest';
import { aboutDuration, formatBytes, formatCount, formatDuration, formatNumber } from './format.ts';

it('says durations in two units at most', () => {
	const texts = [0, 0.4, 59.4, 59.6, 95, 3600, 7384, 90_000].map(formatDuration);
	expect(texts).toEqual([
		...['0 s', '<1 s', '59 s', '1 min 0 s', '1 min 35 s', '1 h 0 min', '2 h 3 min', '1 d 1 h'],
	]);
});

it('says of an estimate that it is about so long, save where that is next to nothing', () => {
	expect([95, 0.4].map(aboutDuration)).toEqual(['about 1 min 35 s', '<1 s']);
});

it('counts one in the singular', () => {
	expect([0, 1, 1200].map((count) => formatCount(count, 'cell'))).toEqual([
		'0 cells',
		'1 cell',
		'1200 cells',
	]);
});

it('says bytes in binary units', () => {
	const texts = [0, 1023, 1536, 200 * 2 ** 20, 24 * 2 ** 30].map(formatBytes);
	expect(texts).toEqual(['0 B', '1023 B', '1.5 KiB', '200 MiB', '24.0 GiB']);
});

it('groups thousands and keeps a digit of small numbers', () => {
	expect([1234.5, 9.87, 0, 10.4].map(formatNumber)).toEqual(['1,235', '9.9', '0', '10']);
});
