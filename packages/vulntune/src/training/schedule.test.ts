import { describe, expect, it } from 'vitest';
import { learningRateAt, type ScheduleOptions, warmupNote } from './schedule.ts';

function rates(options: Omit<ScheduleOptions, 'learningRate'>): number[] {
	return Array.from({ length: options.totalSteps }, (_, i) =>
		learningRateAt(i + 1, { ...options, learningRate: 8 }),
	);
}

describe('the learning rate', () => {
	it.each([
		['constant', [0, 4, 8, 8, 8, 8]],
		['linear', [0, 4, 8, 6, 4, 2]],
		['cosine', [0, 4, 8, 4 + 4 * Math.SQRT1_2, 4, 4 - 4 * Math.SQRT1_2]],
	] as const)('rises over the warm-up and then is %s', (schedule, expected) => {
		const found = rates({ schedule, warmupSteps: 2, totalSteps: 6 });
		for (const [i, rate] of expected.entries()) expect(found[i]).toBeCloseTo(rate, 12);
	});

	it('leaves a step after the warm-up, however short the run', () => {
		expect(rates({ schedule: 'cosine', warmupSteps: 2, totalSteps: 1 })).toEqual([8]);
		expect(rates({ schedule: 'cosine', warmupSteps: 5, totalSteps: 2 })).toEqual([0, 8]);
		expect(rates({ schedule: 'linear', warmupSteps: 2, totalSteps: 2 })).toEqual([0, 8]);
	});

	it('is said to warm up for less where the run is shorter', () => {
		expect(warmupNote({ warmupSteps: 2, totalSteps: 3 })).toBeUndefined();
		expect(warmupNote({ warmupSteps: 0, totalSteps: 1 })).toBeUndefined();
		expect(warmupNote({ warmupSteps: 2, totalSteps: 1 })).toBe(
			'training.warmupSteps 2 is shortened to 0: the run has 1 optimiser steps in all',
		);
	});
});
