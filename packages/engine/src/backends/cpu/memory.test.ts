import { describe, expect, it } from 'vitest';
import { viewOf } from '../view.ts';
import { kernelBackends } from './testing.ts';

const mebibyte = 2 ** 20;

describe.each(kernelBackends)('memory of the $name backend', ({ create }) => {
	it('serves packs of slightly different lengths from the same blocks', () => {
		const backend = create({ threads: 1 });
		/** Touches as many tensors as a pass holds and gives them back; what stays resident is kept for the next. */
		const pass = (tokens: number) => {
			const views = Array.from({ length: 20 }, () =>
				viewOf(backend.allocate('f32', tokens * 1536), [tokens * 1536]),
			);
			for (const view of views) backend.fill(view, 1);
			for (const view of views) backend.free(view.buffer);
		};
		pass(512);
		const before = process.memoryUsage.rss();
		for (const tokens of [508, 490, 470, 512, 455, 500]) pass(tokens);
		// a second set of blocks would be 60 MiB
		expect((process.memoryUsage.rss() - before) / mebibyte).toBeLessThan(20);
		expect(backend.memory()).toMatchObject({ liveBuffers: 0, liveBytes: 0 });
		backend.close();
	});

	it('gives memory back where tensors of other sizes take its place', () => {
		const backend = create({ threads: 1 });
		const before = process.memoryUsage.rss();
		// each round has 60 MiB in blocks that none of the rounds before can serve
		for (const [count, each] of [
			[120, 0.5],
			[60, 1],
			[35, 1.7],
			[20, 3],
			[12, 5],
			[7, 8.5],
			[4, 15],
			[2, 30],
			[1, 60],
		] as const) {
			const length = Math.floor((each * mebibyte) / 4);
			const views = Array.from({ length: count }, () => viewOf(backend.allocate('f32', length), [length]));
			for (const view of views) backend.fill(view, 1);
			for (const view of views) backend.free(view.buffer);
		}
		// 1.5 × 60 and 16 besides; all rounds together would be 540
		expect((process.memoryUsage.rss() - before) / mebibyte).toBeLessThan(130);
		backend.close();
	});
});

it('a borrowed array is the memory of its buffer, which frees nothing else', () => {
	const backend = kernelBackends.find(({ name }) => name === 'cpu')!.create({ threads: 1 });
	const host = Float32Array.of(1, 2, 3);
	const buffer = backend.borrow!('f32', host.subarray(1));
	expect(buffer.length).toBe(2);
	backend.scale(viewOf(buffer, [2]), 10);
	expect([...host]).toEqual([1, 20, 30]);
	host[2] = 4;
	expect(backend.download(viewOf(buffer, [2]))).toEqual(Float32Array.of(20, 4));
	expect(backend.memory()).toMatchObject({ liveBuffers: 1, liveBytes: 0 });
	backend.free(buffer);
	expect(backend.memory()).toMatchObject({ liveBuffers: 0, liveBytes: 0 });
	expect(() => backend.fill(viewOf(buffer, [2]), 0)).toThrow(
		expect.objectContaining({ code: 'BUFFER_FREED' }),
	);
	backend.close();
});
