/**
 * Views that are kept in the host's memory, over the stand-in for libcuda: there a copy beside the kernels runs as late as it may, and
 * is refused where it doesn't wait for the kernels before it.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { View } from '../contract.ts';
import { viewOf } from '../view.ts';
import { chooseCard } from './card.ts';
import { createDeviceOf } from './create-device.ts';
import { cudaBackendOn } from './cuda.ts';
import { type Driver, loadDriver } from './driver.ts';
import { createStandInBackend, hostWaits, prepareStandIn } from './testing/stand-in.ts';

const { missing } = await prepareStandIn();
const length = 1000;
/** Bytes of so many floats, rounded. */
const block = 4096;

function open(backend = createStandInBackend()) {
	onTestFinished(() => backend.close());
	const filled = (value: number) => {
		const view = viewOf(backend.allocate('f32', length), [length]);
		backend.fill(view, value);
		return view;
	};
	const keep = (view: View) => backend.keepOnHost!(view);
	/** Of a buffer that is freed then. */
	const kept = (value: number) => {
		const view = filled(value);
		const copy = keep(view);
		backend.free(view.buffer);
		return copy;
	};
	const valuesOf = (view: View) => new Set(backend.download(view) as Float32Array);
	return { backend, filled, keep, kept, valuesOf };
}

describe.skipIf(missing !== undefined)('what is kept on the host', () => {
	it('comes back as it was, whatever its memory was used for meanwhile', () => {
		const { backend, filled, kept, valuesOf } = open();
		const copies = [1, 2, 3, 4].map(kept);
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
		const { backend, kept } = open();
		const copies = Array.from({ length: 10 }, (_, value) => kept(value));
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
		const { backend, filled, keep, kept, valuesOf } = open();
		const views = [1, 2, 3].map((value) => filled(value));
		const copies = views.map((view) => keep(view));
		for (const { buffer } of views) backend.free(buffer);
		backend.free(copies[2]!.restore()); // fetches the one before
		for (const copy of copies) copy.free();
		const again = kept(4);
		const back = viewOf(again.restore(), [length]);
		expect(valuesOf(back)).toEqual(new Set([4]));
		again.free();
		backend.free(back.buffer);
		expect(backend.memory()).toMatchObject({ liveBuffers: 0 });
		expect(backend.memory().host!.heldBytes).toBe(3 * block);
	});

	it('is a part of a buffer, or one that is still in use', () => {
		const { backend, filled, keep, valuesOf } = open();
		const whole = backend.allocate('f32', 2 * length);
		backend.fill(viewOf(whole, [2 * length]), 1);
		const part = viewOf(whole, [length], length);
		backend.fill(part, 2);
		const ofPart = keep(part);
		backend.free(whole);
		expect(valuesOf(viewOf(ofPart.restore(), [length]))).toEqual(new Set([2]));
		const used = filled(3);
		const back = viewOf(keep(used).restore(), [length]);
		backend.fill(used, 4);
		expect([back, used].map((view) => [...valuesOf(view)])).toEqual([[3], [4]]);
	});

	it('takes no memory of the card for what is still there, or is forgotten', () => {
		const { backend, filled, kept } = open();
		kept(1).free();
		backend.free(filled(2).buffer);
		expect(backend.memory().pool!.peakHeldBytes).toBe(block);
		const [first, last] = [kept(3), kept(4)];
		for (const copy of [first, last]) backend.free(copy.restore());
		expect(backend.memory().pool!.peakHeldBytes).toBe(2 * block);
	});

	it('makes the host wait for nothing, and has the kernels wait for each copy, and needs no more events each time', () => {
		const driver = loadDriver();
		let [made, live, waits] = [0, 0, 0];
		const counting: Driver = {
			...driver,
			cuEventCreate(event, flags) {
				made++;
				live++;
				driver.cuEventCreate(event, flags);
			},
			cuEventDestroy_v2(event) {
				live--;
				driver.cuEventDestroy_v2(event);
			},
			cuStreamWaitEvent(stream, event, flags) {
				if (stream === device.stream) waits++;
				driver.cuStreamWaitEvent(stream, event, flags);
			},
		};
		const device = createDeviceOf(counting, chooseCard(driver, 0), 'auto');
		const { backend, kept } = open(cudaBackendOn(device));
		const step = () => {
			const copies = [1, 2, 3].map(kept);
			for (const copy of copies.reverse()) backend.free(copy.restore());
		};
		step();
		const before = [hostWaits(), made];
		// three to the host and two back
		expect(waits).toBe(3 + 2);
		step();
		expect([hostWaits(), made]).toEqual(before);
		backend.close();
		expect(live).toBe(0);
	});
});
