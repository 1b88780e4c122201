/**
 * Views that are kept in the host's memory, over the stand-in for libcuda: there a copy beside the kernels runs as late as it may, and
 * is refused where it doesn't wait for the kernels before it.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { View } from '../contract.ts';
import { viewOf } from '../view.ts';
import { createStandInBackend, hostWaits, prepareStandIn } from './testing/stand-in.ts';

const { missing } = await prepareStandIn();
const length = 1000;

function open() {
	const backend = createStandInBackend();
	onTestFinished(() => backend.close());
	const filled = (value: number) => {
		const view = viewOf(backend.allocate('f32', length), [length]);
		backend.fill(view, value);
		return view;
	};
	const keep = (view: View) => backend.keepOnHost!(view);
	const valuesOf = (view: View) => new Set(backend.download(view) as Float32Array);
	return { backend, filled, keep, valuesOf };
}

describe.skipIf(missing !== undefined)('what is kept on the host', () => {
	it('comes back as it was, whatever its memory was used for meanwhile', () => {
		const { backend, filled, keep, valuesOf } = open();
		const copies = [1, 2, 3, 4].map((value) => {
			const view = filled(value);
			const copy = keep(view);
			backend.free(view.buffer);
			return copy;
		});
		const others = [5, 6].map((value) => filled(value));
		for (const [index, expected] of [4, 3, 2, 1].entries()) {
			const buffer = copies[3 - index]!.restore();
			const view = viewOf(buffer, [length]);
			expect(valuesOf(view)).toEqual(new Set([expected]));
			backend.scale(view, 2);
			expect(valuesOf(view)).toEqual(new Set([2 * expected]));
			backend.free(buffer);
			others.push(filled(7 + index));
		}
		expect(others.map((view) => [...valuesOf(view)])).toEqual([5, 6, 7, 8, 9, 10].map((value) => [value]));
		for (const { buffer } of others) backend.free(buffer);
		expect(backend.memory()).toMatchObject({ liveBuffers: 0, liveBytes: 0 });
	});

	it('takes no more of the card than three of them', () => {
		const { backend, filled, keep } = open();
		const block = 4096; // 1,000 floats, rounded
		const copies = Array.from({ length: 10 }, (_, value) => {
			const view = filled(value);
			const copy = keep(view);
			backend.free(view.buffer);
			return copy;
		});
		expect(backend.memory().pool!.peakHeldBytes).toBe(2 * block);
		// the last one is still there, and the one before it is on its way
		const last = copies.pop()!.restore();
		const other = backend.allocate('f32', length);
		expect(backend.memory().pool!.heldBytes).toBe(3 * block);
		for (const buffer of [last, other]) backend.free(buffer);
		for (const copy of copies.reverse()) backend.free(copy.restore());
		const { pool, host } = backend.memory();
		expect(pool!.peakHeldBytes).toBe(3 * block);
		expect(host!.heldBytes).toBe(10 * block);
	});

	it('may be forgotten at any time', () => {
		const { backend, filled, keep, valuesOf } = open();
		const views = [1, 2, 3].map((value) => filled(value));
		const copies = views.map((view) => keep(view));
		for (const { buffer } of views) backend.free(buffer);
		backend.free(copies[2]!.restore()); // fetches the one before
		for (const copy of copies) copy.free();
		const next = filled(4);
		const again = keep(next);
		backend.free(next.buffer);
		const back = viewOf(again.restore(), [length]);
		expect(valuesOf(back)).toEqual(new Set([4]));
		again.free();
		backend.free(back.buffer);
		expect(backend.memory()).toMatchObject({ liveBuffers: 0 });
		expect(backend.memory().host!.heldBytes).toBe(3 * 4096);
	});

	it('makes the host wait for nothing', () => {
		const { backend, filled, keep } = open();
		const step = () => {
			const views = [1, 2, 3].map((value) => filled(value));
			const copies = views.map((view) => {
				const copy = keep(view);
				backend.free(view.buffer);
				return copy;
			});
			for (const copy of copies.reverse()) backend.free(copy.restore());
		};
		step();
		const before = hostWaits();
		step();
		expect(hostWaits()).toBe(before);
	});
});
