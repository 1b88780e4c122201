import { expect, it } from 'vitest';
import type { View } from './contract.ts';
import { createOwnedBuffers, uploadedBytes } from './owned-buffers.ts';
import { viewOf } from './view.ts';

/** Buffers of a memory whose blocks lie 1,000 bytes apart. */
function buffersOf(owner: object) {
	let next = 1000;
	let open = true;
	const given: [number, number][] = [];
	const buffers = createOwnedBuffers(owner, {
		isOpen: () => open,
		take: () => (next += 1000) - 1000,
		give: (address, bytes) => void given.push([address, bytes]),
	});
	return { buffers, given, close: () => (open = false) };
}

it('counts what is in use, and gives each buffer back once', () => {
	const { buffers, given } = buffersOf({});
	const [a, b] = [buffers.allocate('f32', 10), buffers.allocate('bf16', 3)];
	expect(buffers.counts()).toEqual({ liveBuffers: 2, liveBytes: 46, peakBytes: 46 });
	buffers.free(a);
	expect(buffers.counts()).toEqual({ liveBuffers: 1, liveBytes: 6, peakBytes: 46 });
	expect(() => buffers.free(a)).toThrow(expect.objectContaining({ code: 'BUFFER_FREED' }));
	buffers.free(b);
	expect(given).toEqual([
		[1000, 40],
		[2000, 6],
	]);
	for (const length of [-1, 0.5, Number.NaN]) {
		expect(() => buffers.allocate('f32', length)).toThrow(expect.objectContaining({ code: 'BUFFER_LENGTH' }));
	}
});

it('knows where a view lies, and refuses those of which a kernel would touch other memory', () => {
	const [mine, other] = [buffersOf({}), buffersOf({})];
	const buffer = mine.buffers.allocate('f32', 12);
	const address = (view: View) => mine.buffers.address(view);
	expect(address(viewOf(buffer, [3], 2))).toBe(1008);
	// two columns of four, of which the last row ends with the buffer
	expect(address({ ...viewOf(buffer, [3, 2], 2), rowStride: 4 })).toBe(1008);
	const refused = (view: View) => {
		try {
			return `not refused: ${address(view)}`;
		} catch (error) {
			return (error as { code: string }).code;
		}
	};
	expect(refused({ ...viewOf(buffer, [3, 2], 3), rowStride: 4 })).toBe('BUFFER_RANGE');
	expect(refused(viewOf(buffer, [13]))).toBe('BUFFER_RANGE');
	expect(refused(viewOf(buffer, [1], -1))).toBe('BUFFER_RANGE');
	expect(refused(viewOf(buffer, [Number.NaN]))).toBe('BUFFER_RANGE');
	expect(refused({ ...viewOf(buffer, [2]), dtype: 'i32' })).toBe('BUFFER_TYPE');
	expect(refused(viewOf(other.buffers.allocate('f32', 1), [1]))).toBe('BUFFER_FOREIGN');
	const freed = mine.buffers.allocate('f32', 1);
	mine.buffers.free(freed);
	expect(refused(viewOf(freed, [1]))).toBe('BUFFER_FREED');
	mine.close();
	expect(refused(viewOf(buffer, [1]))).toBe('BUFFER_FREED');
});

it('takes as many bytes as a view has', () => {
	const view = viewOf(buffersOf({}).buffers.allocate('bf16', 6), [2, 3]);
	expect(uploadedBytes(view, new Uint16Array(6))).toBe(12);
	expect(() => uploadedBytes(view, new Uint16Array(5))).toThrow(
		expect.objectContaining({ code: 'UPLOAD_SIZE' }),
	);
});
