import { expect, it } from 'vitest';
import { createStopwatch, memoryFacts } from './stopwatch.ts';

const none = { residentBytes: 0 };

it('counts every token once, whatever a step has of them', () => {
	let time = 0;
	const watch = createStopwatch(() => time);
	// three steps of one sequence each, then two sequences of a step to come
	for (const [index, tokens] of [100, 120, 80].entries()) {
		watch.count(tokens);
		watch.lap({ type: 'step', epoch: 1, step: index + 1, tokens }, none);
	}
	watch.count(50);
	watch.count(90);
	time = 10;
	expect(watch.tokensPerSecond()).toBe(39);
});

it('leaves validation out of the rate of training', () => {
	let time = 0;
	const watch = createStopwatch(() => time);
	watch.count(100);
	time = 2;
	watch.lap({ type: 'step', epoch: 1, step: 1, tokens: 100 }, none);
	time = 30;
	watch.lap({ type: 'epoch', epoch: 1 }, none);
	expect(watch.tokensPerSecond()).toBe(50);
});

it('takes the time of a line from the line before', () => {
	let time = 5;
	const watch = createStopwatch(() => time);
	time = 7;
	const step = { type: 'step', epoch: 1, step: 1, tokens: 30 };
	expect(watch.lap(step, { residentBytes: 11, deviceBytes: 5 })).toEqual({
		type: 'step',
		step: 1,
		epoch: 1,
		seconds: 2,
		tokensPerSecond: 15,
		residentBytes: 11,
		deviceBytes: 5,
		totalSeconds: 2,
	});
	time = 10;
	expect(watch.lap({ type: 'epoch', epoch: 1 }, none)).toMatchObject({ seconds: 3, totalSeconds: 5 });
});

it('says how much of a line’s time was spent waiting for a card', () => {
	let waited = 4;
	const watch = createStopwatch(
		() => 0,
		() => waited,
	);
	const lap = (seconds: number) => {
		waited += seconds;
		return watch.lap({ type: 'epoch', epoch: 1 }, none);
	};
	expect([lap(1), lap(2)]).toMatchObject([{ waitSeconds: 1 }, { waitSeconds: 2 }]);
	expect(createStopwatch(() => 0).lap({ type: 'epoch', epoch: 1 }, none)).not.toHaveProperty('waitSeconds');
});

it('tells the time left from what this session did', () => {
	let time = 0;
	const watch = createStopwatch(() => time);
	expect(watch.secondsLeft(0.5)).toBeNaN();
	time = 10;
	expect(watch.secondsLeft(0.75)).toBeCloseTo(10);
	// validation is a part of what is left, too
	watch.lap({ type: 'epoch', epoch: 1 }, none);
	time = 20;
	expect(watch.secondsLeft(0.75)).toBeCloseTo(20);
});

it('tells memory of a card where one computes', () => {
	const use = { liveBuffers: 1, liveBytes: 2, peakBytes: 3 };
	expect(Object.keys(memoryFacts({ memory: () => use }))).toEqual(['residentBytes']);
	const pool = { heldBytes: 4, peakHeldBytes: 5 };
	const onCard = { ...use, pool, card: { usedBytes: 6, totalBytes: 7 } };
	expect(memoryFacts({ memory: () => onCard })).toMatchObject({ deviceBytes: 5, deviceUsedBytes: 6 });
});
