import { describe, expect, it } from 'vitest';
import { VulntuneError } from '../../errors.ts';
import type { View } from '../contract.ts';
import { createBackend } from '../select.ts';
import { emptyTensor, segmentTensors, tensor } from '../testing/tensors.ts';
import { viewOf } from '../view.ts';
import { chooseCard, findCards } from './card.ts';
import { createDevice } from './create-device.ts';
import { createCudaBackend } from './cuda.ts';
import { loadDriver } from './driver.ts';
import { roundedSize } from './pool.ts';
import {
	compilations,
	createStandInBackend,
	prepareStandIn,
	type StandIn,
	withStandIn,
} from './testing/stand-in.ts';

const { missing } = await prepareStandIn();

/** The error that `work` throws. */
function errorOf(work: () => unknown): VulntuneError {
	try {
		work();
	} catch (error) {
		if (error instanceof VulntuneError) return error;
		throw error;
	}
	throw new Error('nothing was thrown');
}

describe('a machine that can’t run CUDA', () => {
	it.skipIf(missing !== undefined)('says that there is no driver', () => {
		const standIn = process.env.VULNTUNE_LIBCUDA;
		process.env.VULNTUNE_LIBCUDA = 'libcuda-that-is-not-there.so';
		try {
			const error = errorOf(() => createCudaBackend());
			expect([error.code, error.kind]).toEqual(['CUDA_DRIVER_MISSING', 'runtime']);
			expect(error.message).toContain('Install the driver');
		} finally {
			if (standIn === undefined) delete process.env.VULNTUNE_LIBCUDA;
			else process.env.VULNTUNE_LIBCUDA = standIn;
		}
	});

	it.skipIf(missing !== undefined).each<[string, StandIn, number, string, string]>([
		['without a card', { devices: 0 }, 0, 'CUDA_NO_DEVICE', 'runtime'],
		['with an old driver', { driver: 11080 }, 0, 'CUDA_DRIVER_OLD', 'runtime'],
		['with an old card', { capability: 61 }, 0, 'CUDA_CARD_OLD', 'runtime'],
		['with kernels that its driver refuses', { damaged: 1 }, 0, 'CUDA_KERNELS', 'runtime'],
		['asked for a card that is not there', { devices: 2 }, 2, 'CUDA_DEVICE', 'input'],
	])('%s says so', (_, kind, device, code, errorKind) => {
		const error = errorOf(() => withStandIn(kind, () => createCudaBackend({ device })));
		expect([error.code, error.kind]).toEqual([code, errorKind]);
	});
});

it
	.skipIf(missing !== undefined)
	.each<[string, StandIn, number]>([
		...[75, 80, 86, 89, 90].map((capability): [string, StandIn, number] => [
			`are there at once on a card of ${capability}`,
			{ capability },
			0,
		]),
		['are compiled for a card of another kind', { capability: 87 }, 1],
		['are compiled where the driver refuses machine code', { capability: 86, cubins: 0 }, 1],
	])('kernels %s', (_, kind, expected) => {
	const before = compilations();
	const backend = createStandInBackend(kind);
	expect(compilations() - before).toBe(expected);
	const x = tensor(backend, [2], [1, 2]);
	backend.scale(x, 2);
	expect([...backend.download(x)]).toEqual([2, 4]);
	backend.close();
});

it.skipIf(missing !== undefined)('a card is described as its driver does', () => {
	const kind = { devices: 2, capability: 86, multiprocessors: 46, driver: 12_040, memory: 12e9 };
	expect(withStandIn(kind, () => chooseCard(loadDriver(), 1))).toEqual({
		...{ ordinal: 1, name: 'stand-in', capability: 86, multiprocessors: 46, driver: '12.4' },
		...{ memoryBytes: 12e9, handle: 1 },
	});
});

it.skipIf(missing !== undefined)('products are Hopper’s own on a Hopper, unless they are left out', () => {
	const multiply = (kernels: 'auto' | 'mma') =>
		withStandIn({ capability: 90 }, () => {
			const backend = createBackend({ type: 'cuda', isa: 'auto', threads: 'auto', kernels }, () => {});
			try {
				const [x, weight] = [1, 2].map(() => tensor(backend, [128, 16], new Array(128 * 16).fill(1)));
				const y = emptyTensor(backend, [128, 128]);
				backend.matmulNT(y, x!, weight!, { precision: 'bf16', accumulate: false, scale: 1 });
				return new Set(backend.download(y) as Float32Array);
			} finally {
				backend.close();
			}
		});
	expect(multiply('mma')).toEqual(new Set([16]));
	// the emulation has no copy engine
	expect(errorOf(() => multiply('auto'))).toMatchObject({
		code: 'CUDA_FAILED',
		summary: expect.stringContaining('cuTensorMapEncodeTiled'),
	});
});

it.skipIf(missing !== undefined)('looking for cards leaves one that is open as it is', () => {
	const backend = createStandInBackend();
	const x = tensor(backend, [2], [1, 2]);
	const held = backend.memory().pool!.heldBytes;
	const { cards } = findCards();
	// what is taken is not free
	expect(cards.map(({ freeBytes, memoryBytes }) => memoryBytes - freeBytes!)).toEqual([held]);
	backend.scale(x, 2);
	expect([...backend.download(x)]).toEqual([2, 4]);
	backend.close();
});

describe.skipIf(missing !== undefined)('the memory of a card', () => {
	it('is used again instead of asked for again', () => {
		const device = createDevice(0);
		const first = device.pool.take(1000);
		device.pool.give(first, 1000);
		expect(device.pool.take(1024)).toBe(first);
		expect(device.pool.reservedBytes).toBe(1024);
		expect(device.pool.take(1000)).not.toBe(first);
		device.close();
	});

	it('is rounded up by at most an eighth', () => {
		for (let bytes = 4096; bytes < 2 ** 40; bytes = Math.ceil(bytes * 1.37)) {
			expect(roundedSize(bytes)).toBeGreaterThanOrEqual(bytes);
			expect(roundedSize(bytes)).toBeLessThanOrEqual(bytes * 1.125);
			expect(roundedSize(roundedSize(bytes))).toBe(roundedSize(bytes));
		}
	});

	it('gives up what lies unused before it runs out, and then says so', () => {
		const backend = createStandInBackend();
		const quarter = 2 ** 26; // elements of 4 bytes in the stand-in's GiB
		const [a, b, c] = [1, 2, 3].map(() => backend.allocate('f32', quarter));
		for (const buffer of [a!, b!, c!]) backend.free(buffer);
		const large = backend.allocate('f32', 3 * quarter);
		const error = errorOf(() => backend.allocate('f32', 2 * quarter));
		expect([error.code, error.kind]).toEqual(['OUT_OF_MEMORY', 'resources']);
		expect(error.message).toContain('not enough memory on stand-in for a buffer of');
		expect(error.message).toContain('(768 of 1024 MiB in use)');
		backend.free(large);
		backend.close();
	});

	it('refuses buffers that were freed, of another backend, or too short', () => {
		const [backend, other] = [createStandInBackend(), createStandInBackend()];
		const [mine, foreign] = [tensor(backend, [4], [1, 2, 3, 4]), tensor(other, [4], [1, 2, 3, 4])];
		expect(errorOf(() => backend.scale(foreign, 2)).code).toBe('BUFFER_FOREIGN');
		expect(errorOf(() => backend.scale(viewOf(mine.buffer, [5]), 2)).code).toBe('BUFFER_RANGE');
		backend.free(mine.buffer);
		expect(errorOf(() => backend.scale(mine, 2)).code).toBe('BUFFER_FREED');
		expect(errorOf(() => backend.free(mine.buffer)).code).toBe('BUFFER_FREED');
		backend.close();
		other.close();
		expect(errorOf(() => other.scale(foreign, 2)).code).toBe('BUFFER_FREED');
	});
});

describe.skipIf(missing !== undefined)('activations', () => {
	it('lie in bfloat16 under bf16, and in float32 where all is exact', () => {
		for (const capability of [75, 80]) {
			const backend = createStandInBackend({ capability });
			expect([backend.activationType('bf16'), backend.activationType('fp32')]).toEqual(['bf16', 'f32']);
			backend.close();
		}
	});

	it('of two types, or of none that activations have, are refused', () => {
		const backend = createStandInBackend();
		const [wide, narrow, half] = (['f32', 'bf16', 'f16'] as const).map((dtype) =>
			emptyTensor(backend, [4], dtype),
		) as [View, View, View];
		expect(errorOf(() => backend.add(wide, wide, narrow)).message).toContain(
			'the kernel addFloats takes tensors of one type, but got [4] f32 and [4] bf16',
		);
		expect(errorOf(() => backend.scale(half, 2)).code).toBe('CUDA_TYPE');
		expect(errorOf(() => backend.sumOfSquares(narrow)).code).toBe('CUDA_TYPE');
		backend.close();
	});

	it('have attention on tensor cores in bfloat16 alone', () => {
		const backend = createStandInBackend();
		const heads = { heads: 1, keyValueHeads: 1, headDim: 32 };
		const shape = { ...heads, causal: true, scale: 1, precision: 'bf16' } as const;
		const [q, k, v, out] = [0, 1, 2, 3].map(() => emptyTensor(backend, [3, 32], 'bf16')) as [
			View,
			View,
			View,
			View,
		];
		const exact = emptyTensor(backend, [3, 32]);
		const segments = segmentTensors(backend, [0, 3]);
		const attend = (value: View) =>
			backend.attention(out, emptyTensor(backend, [3, 1]), q, k, value, segments, shape);
		attend(v);
		expect(errorOf(() => attend(exact)).message).toContain('flashAttention takes tensors of one type');
		backend.close();
	});
});

describe.skipIf(missing !== undefined)('a launch', () => {
	it('takes as many arguments as its kernel', () => {
		const device = createDevice(0);
		expect(() => device.launchOver('fillFloat', 1, [0, 1])).toThrow('takes 3 arguments, got 2');
		device.close();
	});

	it('that a card refuses says which kernel and what it was given', () => {
		const device = createDevice(0);
		const error = errorOf(() => device.launch('fillFloat', [1], 2048, [256, 1, 0]));
		expect(error.code).toBe('CUDA_FAILED');
		expect(error.message).toContain(
			'fillFloat could not be started (grid 1, 2048 threads, arguments 256, 1, 0)',
		);
		device.close();
	});
});
