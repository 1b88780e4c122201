import { describe, expect, it } from 'vitest';
import type { View } from '../contract.ts';
import { emptyTensor, tensor } from '../testing/tensors.ts';
import { rowsOf, viewOf } from '../view.ts';
import { createReferenceBackend } from './reference-backend.ts';

function codeOf(action: () => unknown): unknown {
	try {
		action();
	} catch (error) {
		return (error as { code?: unknown }).code;
	}
	return 'nothing was thrown';
}

describe('memory of the reference backend', () => {
	it('gives back what was uploaded, for every type', () => {
		const backend = createReferenceBackend();
		const arrays = {
			f32: Float32Array.of(1.5, -2, 0.1),
			bf16: Uint16Array.of(0x3f80, 0, 0xffff),
			f16: Uint16Array.of(0x3c00, 1, 2),
			i32: Int32Array.of(-1, 2 ** 30, 0),
			u8: Uint8Array.of(0, 255, 7),
			i8: Int8Array.of(-128, 127, 0),
		} as const;
		for (const [dtype, values] of Object.entries(arrays)) {
			const view = emptyTensor(backend, [3], dtype as keyof typeof arrays);
			backend.upload(view, values);
			expect(backend.download(view)).toEqual(values);
		}
	});

	it('writes a part of a buffer through a view and copies on download', () => {
		const backend = createReferenceBackend();
		const matrix = tensor(backend, [2, 2], [1, 2, 3, 4]);
		const second = rowsOf(matrix, 1, 2);
		const downloaded = backend.download(second);
		backend.upload(second, Float32Array.of(5, 6));
		expect(downloaded).toEqual(Float32Array.of(3, 4));
		expect(backend.download(matrix)).toEqual(Float32Array.of(1, 2, 5, 6));
	});

	it('rounds to float32 by default and keeps float64 with storage f64', () => {
		const exact = createReferenceBackend({ storage: 'f64' });
		const view = emptyTensor(exact, [1]);
		exact.upload(view, Float64Array.of(0.1));
		expect(exact.download(view)).toEqual(Float64Array.of(0.1));
		exact.upload(view, Float32Array.of(0.1));
		expect(exact.download(view)).toEqual(Float64Array.of(Math.fround(0.1)));
	});

	it('counts live buffers, bytes and the peak', () => {
		const backend = createReferenceBackend();
		const first = backend.allocate('f32', 10);
		const second = backend.allocate('bf16', 5);
		expect(backend.memory()).toEqual({ liveBuffers: 2, liveBytes: 50, peakBytes: 50 });
		backend.free(first);
		backend.free(second);
		backend.allocate('u8', 3);
		expect(backend.memory()).toEqual({ liveBuffers: 1, liveBytes: 3, peakBytes: 50 });
		backend.close();
		expect(backend.memory().liveBuffers).toBe(0);
	});

	it('reads memory that nobody wrote as NaN', () => {
		const backend = createReferenceBackend();
		expect(backend.download(emptyTensor(backend, [1]))[0]).toBeNaN();
	});

	it('refuses misuse', () => {
		const backend = createReferenceBackend();
		const freed = emptyTensor(backend, [2]);
		backend.free(freed.buffer);
		const closed = createReferenceBackend();
		const held = emptyTensor(closed, [2]);
		closed.close();
		const live = emptyTensor(backend, [2]);
		const foreign: View = { buffer: { dtype: 'f32', length: 2 }, offset: 0, dtype: 'f32', shape: [2] };
		const cases: readonly [string, () => unknown][] = [
			['BUFFER_FREED', () => backend.fill(freed, 0)],
			['BUFFER_FREED', () => backend.free(freed.buffer)],
			['BUFFER_FREED', () => closed.download(held)],
			['BUFFER_FREED', () => createReferenceBackend().free(live.buffer)],
			['BACKEND_CLOSED', () => closed.allocate('f32', 1)],
			['BUFFER_FOREIGN', () => backend.download(foreign)],
			['BUFFER_RANGE', () => backend.download(viewOf(live.buffer, [3]))],
			['BUFFER_RANGE', () => backend.download(viewOf(live.buffer, [1], -1))],
			['BUFFER_TYPE', () => backend.download({ ...live, dtype: 'i32' })],
			['BUFFER_TYPE', () => backend.addScaled(live, emptyTensor(backend, [2], 'bf16'), 1)],
			['UPLOAD_SIZE', () => backend.upload(live, Float32Array.of(1))],
			['UPLOAD_TYPE', () => backend.upload(live, Float64Array.of(1, 2))],
			['UPLOAD_TYPE', () => backend.upload(live, new DataView(new ArrayBuffer(8)))],
			['UPLOAD_TYPE', () => backend.upload(emptyTensor(backend, [2], 'bf16'), Float32Array.of(1, 2))],
		];
		for (const [code, action] of cases) expect(codeOf(action)).toBe(code);
	});
});
