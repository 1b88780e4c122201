import { describe, expect, it } from 'vitest';
import { viewOf } from '../view.ts';
import { createCpuBackend } from './cpu.ts';
import { cpuFeatures } from './features.ts';

const hasKernels = cpuFeatures().best !== undefined;
if (!hasKernels) console.warn('skipped: the native kernels are not built');

const mebibyte = 2 ** 20;

describe.skipIf(!hasKernels)('memory of the cpu backend', () => {
	it('serves packs of slightly different lengths from the same blocks', () => {
		const backend = createCpuBackend({ threads: 1 });
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
});
