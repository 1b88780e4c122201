import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend } from '../contract.ts';
import { viewOf } from '../view.ts';
import { createCpuBackend } from './cpu.ts';
import { createDevice } from './device.ts';
import type { NativeAddon } from './native.ts';
import { describeSets, kernelBackends, testableSets } from './testing.ts';

describeSets('cpu backend on %s', (isa) => {
	let backend: Backend;
	beforeAll(() => {
		backend = createCpuBackend({ isa, threads: 2 });
	});
	afterAll(() => backend.close());

	it.each([1, 3, 16, 17, 16384, 50_001])('fills and adds %i elements and touches nothing else', (length) => {
		const buffer = backend.allocate('f32', length + 2);
		backend.upload(viewOf(buffer, [length + 2]), new Float32Array(length + 2).fill(-7));
		const inner = viewOf(buffer, [length], 1);
		backend.fill(inner, 1.5);
		const other = backend.allocate('f32', length);
		const ramp = Float32Array.from({ length }, (_, i) => i);
		backend.upload(viewOf(other, [length]), ramp);
		backend.add(inner, inner, viewOf(other, [length]));
		const expected = Float32Array.from({ length: length + 2 }, (_, i) =>
			i === 0 || i === length + 1 ? -7 : 1.5 + (i - 1),
		);
		expect(backend.download(viewOf(buffer, [length + 2]))).toEqual(expected);
		backend.free(buffer);
		backend.free(other);
	});
});

describe.each(kernelBackends)('memory of the $name backend', ({ create }) => {
	it('counts live buffers and bytes', () => {
		const backend = create({ threads: 1 });
		const a = backend.allocate('f32', 100);
		const b = backend.allocate('bf16', 50);
		expect(backend.memory()).toEqual({ liveBuffers: 2, liveBytes: 500, peakBytes: 500 });
		backend.free(a);
		expect(backend.memory()).toEqual({ liveBuffers: 1, liveBytes: 100, peakBytes: 500 });
		backend.free(b);
		backend.close();
	});

	it('refuses freed buffers, buffers of other backends and closed backends', () => {
		const backend = create({ threads: 1 });
		const other = create({ threads: 1 });
		const buffer = backend.allocate('f32', 4);
		expect(() => other.fill(viewOf(buffer, [4]), 0)).toThrow(/another backend/);
		backend.free(buffer);
		expect(() => backend.fill(viewOf(buffer, [4]), 0)).toThrow(/after it was freed/);
		expect(() => backend.free(buffer)).toThrow(/freed twice/);
		const live = backend.allocate('f32', 4);
		backend.close();
		expect(() => backend.fill(viewOf(live, [4]), 0)).toThrow(/after close/);
		other.close();
	});

	it('refuses views that reach beyond their buffer or have another type', () => {
		const backend = create({ threads: 1 });
		const buffer = backend.allocate('f32', 4);
		expect(() => backend.fill(viewOf(buffer, [5]), 0)).toThrow(
			expect.objectContaining({ code: 'BUFFER_RANGE' }),
		);
		expect(() => backend.download(viewOf(buffer, [1], -1))).toThrow(/reaches beyond/);
		expect(() => backend.fill({ ...viewOf(buffer, [4]), dtype: 'i32' }, 0)).toThrow(/lies on a buffer of/);
		backend.fill(viewOf(buffer, [2], 2), 0);
		backend.close();
	});

	it('uploads all bytes of a typed array, whatever its elements', () => {
		const backend = create({ threads: 1 });
		const view = viewOf(backend.allocate('f16', 3), [3]);
		backend.upload(view, Float16Array.of(1, 2, 3));
		expect([...backend.download(view)]).toEqual([0x3c00, 0x4000, 0x4200]);
		backend.close();
	});

	it('turns a failed allocation into an error of kind resources', () => {
		const backend = create({ threads: 1 });
		expect(() => backend.allocate('f32', 2 ** 50)).toThrow(
			expect.objectContaining({ kind: 'resources', code: 'OUT_OF_MEMORY' }),
		);
		backend.close();
	});
});

describe('options of the cpu backend', () => {
	it('says so where the system refuses threads', () => {
		const addon = {
			createEngine() {
				throw new Error('Resource temporarily unavailable');
			},
		} as unknown as NativeAddon;
		expect(() => createDevice(addon, 'generic', 900)).toThrow(
			expect.objectContaining({ code: 'CPU_THREADS_REFUSED', kind: 'resources' }),
		);
	});

	it.skipIf(testableSets.length === 0)('names the instruction sets that can be asked for', () => {
		expect(() => createCpuBackend({ isa: 'avx1024' })).toThrow(/generic/);
	});
});
