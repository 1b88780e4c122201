import { describe, expect, it } from 'vitest';
import type { Backend } from './contract.ts';
import { profileBackend } from './profile.ts';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { viewOf } from './view.ts';

describe('a profiled backend', () => {
	it('computes what the backend computes and has all of its methods', () => {
		const backend = createReferenceBackend();
		const profile = profileBackend(backend);
		expect(Object.keys(profile.backend)).toEqual(Object.keys(backend));
		expect([profile.backend.name, profile.backend.description]).toEqual([backend.name, backend.description]);
		const x = viewOf(profile.backend.allocate('f32', 3), [3]);
		profile.backend.upload(x, Float32Array.of(1, 2, 3));
		profile.backend.scale(x, 2);
		expect(profile.backend.sumOfSquares(x)).toBe(56);
		expect([...profile.backend.download(x)]).toEqual([2, 4, 6]);
	});

	it('adds up the time and the calls of each method, the slowest first', () => {
		let now = 0;
		const takes = (milliseconds: number) => () => {
			now += milliseconds;
		};
		const slow = { name: 'slow', scale: takes(5), fill: takes(1), add: takes(0) } as unknown as Backend;
		const { backend, times, reset } = profileBackend(slow, () => now);
		const x = viewOf({ dtype: 'f32', length: 1 }, [1]);
		for (let i = 0; i < 3; i++) backend.fill(x, 0);
		backend.scale(x, 1);
		expect(times()).toEqual([
			{ method: 'scale', calls: 1, milliseconds: 5 },
			{ method: 'fill', calls: 3, milliseconds: 3 },
		]);
		reset();
		expect(times()).toEqual([]);
	});

	it('counts a call that throws', () => {
		const { backend, times } = profileBackend(createReferenceBackend(), () => 0);
		backend.close();
		expect(() => backend.allocate('f32', 1)).toThrow();
		expect(times().map(({ method, calls }) => [method, calls])).toEqual([
			['close', 1],
			['allocate', 1],
		]);
	});
});
