import { expect, it } from 'vitest';
import { keptBytes } from '../scoring/state-cache.ts';
import { estimateWork, type PlannedWork } from './estimate-work.ts';

/** Four blocks of 100 weights in all: 200 operations a token forward, 400 with the gradients of what enters them. */
const shape = {
	layers: 4,
	hiddenSize: 8,
	intermediateSize: 0,
	keyValueSize: 8,
	parameters: 100,
	matrices: [{ name: 'q_proj', rows: 10, columns: 10 }],
};
const data = { rows: { train: 5, valid: 2 }, tokensPerEpoch: 30, validationTokens: 10 };
const workOf = (method: PlannedWork['method'], more: Partial<PlannedWork> = {}) =>
	estimateWork(shape, { method, trainable: 16, checkpointing: false, keepsStates: true, data, ...more });

it('counts a frozen base once, and a head with every function of an epoch', () => {
	// forward and two gradients of 5 functions, forward of 2, two operations for each of 16 weights
	const epoch = 2 * 16 * (3 * 5 + 2);
	const head = { type: 'head', layersToTransform: null } as const;
	expect(workOf(head)).toEqual({ firstEpoch: 40 * 200 + epoch, epoch });
	const whole = 40 * 200 + epoch;
	expect(workOf(head, { keepsStates: false })).toEqual({ firstEpoch: whole, epoch: whole });
});

it('counts blocks below the lowest adapter once, unless their states are more than is kept', () => {
	const upper = { type: 'lora', layersToTransform: [3, 1] } as const;
	const above = (30 * 400 + 10 * 200) * 0.75;
	expect(workOf(upper)).toEqual({ firstEpoch: above + 40 * 200 * 0.25, epoch: above });
	const tokens = (bytes: number) => ({ ...data, tokensPerEpoch: bytes / (4 * shape.hiddenSize) - 10 });
	const [fits, doesNot] = [keptBytes, keptBytes + 32].map((bytes) => workOf(upper, { data: tokens(bytes) }));
	expect(fits!.epoch).toBeLessThan(fits!.firstEpoch);
	expect(doesNot!.epoch).toBe(doesNot!.firstEpoch);
});
