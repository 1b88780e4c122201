/** Cards that can't be opened, and one that fails at a kernel: over drivers without a card, since none here fails. */
import { expect, it } from 'vitest';
import { viewOf } from '../view.ts';
import type { Card } from './card.ts';
import { cardFailures } from './card-failure.ts';
import { createDeviceOf } from './create-device.ts';
import { cudaBackendOn } from './cuda.ts';
import { CardMemoryExhausted, type Driver, DriverFailure } from './driver.ts';
import { dryDriver } from './dry-driver.ts';

const card: Card = {
	...{ ordinal: 1, name: 'a card', capability: 80, driver: '12.0' },
	...{ memoryBytes: 2 ** 30, multiprocessors: 1, handle: 7 },
};
const open = (more: Partial<Driver>) => createDeviceOf({ ...dryDriver(2 ** 30), ...more }, card, 'auto');
const refuse = (error: Error) => () => {
	throw error;
};

/** A driver of a card that fails at a kernel of that name: whatever is asked later answers with that. Counts what was let go of. */
function failingDriver(kernel: string) {
	const dry = dryDriver(2 ** 30);
	let hasFailed = false;
	const released: number[] = [];
	const entries = Object.entries(dry).map(([name, call]) => [
		name,
		(...values: unknown[]) => {
			if (hasFailed && name.startsWith('cu'))
				throw new DriverFailure(`${name}: illegal address, code 700`, 700);
			return (call as (...values: unknown[]) => unknown)(...values);
		},
	]);
	const driver: Driver = {
		...(Object.fromEntries(entries) as Driver),
		cuModuleGetFunction: (handle, _module, name) => void (handle[0] = name),
		cuDevicePrimaryCtxRelease_v2: (handle) => void released.push(handle),
	};
	const launch = driver.cuLaunchKernel;
	return {
		driver: {
			...driver,
			cuLaunchKernel(...values: Parameters<Driver['cuLaunchKernel']>) {
				launch(...values);
				// the launch itself succeeds: it is the kernel that fails, some time later
				if (values[0] === kernel) hasFailed = true;
			},
		},
		released,
	};
}

it('opens the card that was chosen, and lets go of that one', () => {
	const calls: [string, number][] = [];
	const device = open({
		cuDevicePrimaryCtxRetain: (_, handle) => void calls.push(['retain', handle]),
		cuDevicePrimaryCtxRelease_v2: (handle) => void calls.push(['release', handle]),
	});
	device.close();
	device.close();
	expect(calls).toEqual([
		['retain', 7],
		['release', 7],
	]);
});

it('waits for kernels and copies before it frees what they use', () => {
	const calls: string[] = [];
	const dry = dryDriver(2 ** 30);
	const device = open({
		cuStreamCreate: (stream) => void (stream[0] = calls.push('stream')),
		cuStreamSynchronize: (stream) => void calls.push(`waits for ${stream}`),
		cuMemFree_v2: () => void calls.push('frees'),
		cuMemFreeHost: () => void calls.push('frees'),
		cuMemAlloc_v2: dry.cuMemAlloc_v2,
	});
	const backend = cudaBackendOn(device);
	const view = viewOf(backend.allocate('f32', 4), [4]);
	backend.keepOnHost!(view);
	backend.upload(view, new Float32Array(4));
	backend.close();
	expect(calls).toEqual(['stream', 'stream', 'waits for 1', 'waits for 2', 'frees', 'frees', 'frees']);
});

it('says why a card can’t be opened, and lets go of one whose kernels can’t be loaded', () => {
	const busy = new DriverFailure('cuDevicePrimaryCtxRetain: the device is busy, code 46', 46);
	expect(() => open({ cuDevicePrimaryCtxRetain: refuse(busy) })).toThrow(
		expect.objectContaining({
			...{ code: 'CUDA_FAILED', kind: 'runtime', place: 'backend.type' },
			summary: "a card can't be opened: cuDevicePrimaryCtxRetain: the device is busy, code 46",
		}),
	);
	expect(() => open({ cuDevicePrimaryCtxRetain: refuse(new CardMemoryExhausted()) })).toThrow(
		expect.objectContaining({ code: 'OUT_OF_MEMORY', kind: 'resources' }),
	);
	const released: number[] = [];
	const damaged = {
		cuModuleLoadData: refuse(new DriverFailure('cuModuleLoadData: invalid PTX, code 218', 218)),
		cuDevicePrimaryCtxRelease_v2: (handle: number) => void released.push(handle),
	};
	expect(() => open(damaged)).toThrow(expect.objectContaining({ code: 'CUDA_KERNELS' }));
	expect(released).toEqual([7]);
});

it('tells of a kernel that failed once and for all, whatever is asked of the card after it', () => {
	const { driver, released } = failingDriver('scaleFloats');
	const backend = cudaBackendOn(createDeviceOf(driver, card, 'auto'));
	const view = viewOf(backend.allocate('f32', 4), [4]);
	const copies = [backend.keepOnHost!(view), backend.keepOnHost!(view)];
	backend.scale(view, 2);
	const told = expect.objectContaining({
		...{ code: 'CUDA_FAILED', kind: 'runtime' },
		summary: expect.stringMatching(
			/^the card failed in a kernel not later than scaleFloats: .* illegal address/,
		),
	});
	const asked = [
		() => backend.scale(view, 2),
		() => backend.download(view),
		() => backend.allocate('f32', 2 ** 20),
		() => backend.memory(),
		() => copies[1]!.free(),
	];
	for (const ask of asked) expect(ask).toThrow(told);
	backend.free(view.buffer);
	// so that what was told is what ends the run
	expect(backend.close).not.toThrow();
	expect(released).toEqual([7]);
});

it('goes on after a launch that was refused', () => {
	let isRefused = true;
	const device = open({
		cuLaunchKernel() {
			if (isRefused) throw new DriverFailure('cuLaunchKernel: invalid value, code 1', 1);
		},
	});
	const launch = () => device.launchOver('fillFloat', 1, [256, 1, 0]);
	expect(launch).toThrow('the kernel fillFloat could not be started');
	isRefused = false;
	expect(launch).not.toThrow();
	device.close();
});

it('goes on naming what the card failed at first, though other kernels were started since', () => {
	let kernel = 'first';
	const failures = cardFailures(() => kernel);
	const lasting = () => failures.tell(new DriverFailure('illegal address, code 700', 700), 'x');
	const told = lasting();
	kernel = 'later';
	expect(lasting()).toBe(told);
	expect(told.message).toContain('not later than first');
});
