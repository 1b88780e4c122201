import { expect, it } from 'vitest';
import { layoutOf } from './argument-layout.ts';
import type { Driver } from './driver.ts';
import { createLauncher, floatBits } from './launch.ts';

/** A launcher whose driver keeps what it is given; host memory has made-up addresses. */
function watchedLauncher() {
	const memory: Uint8Array[] = [];
	const calls: unknown[][] = [];
	const driver = {
		addressOf: (bytes: Uint8Array) => BigInt(0x1000 * memory.push(bytes)),
		cuLaunchKernel: (...values: unknown[]) => calls.push(values),
	} as unknown as Driver;
	return { launch: createLauncher(driver, 'stream'), memory, calls };
}

it('packs arguments as a structure of C and says how long it is', () => {
	const { launch, memory, calls } = watchedLauncher();
	const kernel = { name: 'some', layout: layoutOf('ilfw'), handle: 'kernel' };
	launch(kernel, [3, 2, 5], 128, 64, [-7, 2 ** 40 + 5, 0.5, floatBits(1)]);
	const [values, size] = memory.map(({ buffer }) => Buffer.from(buffer)) as [Buffer, Buffer];
	expect(values.readInt32LE(0)).toBe(-7);
	expect(values.readBigUInt64LE(8)).toBe(2n ** 40n + 5n);
	expect(values.readFloatLE(16)).toBe(0.5);
	expect(values.readFloatLE(20)).toBe(1);
	expect(size.readUInt32LE(0)).toBe(24);
	const [handle, ...rest] = calls[0]!;
	expect([handle, ...rest.slice(0, 9)]).toEqual(['kernel', 3, 2, 5, 128, 1, 1, 64, 'stream', null]);
	expect([...(rest[9] as BigUint64Array)]).toEqual([1n, 0x1000n, 2n, 0x2000n, 0n]);
});

it('points the driver at each argument where a tensor map is among them', () => {
	const { launch, memory, calls } = watchedLauncher();
	const map = Array.from({ length: 32 }, (_, word) => word);
	launch({ name: 'some', layout: layoutOf('Tli'), handle: 'kernel' }, [1], 32, 0, [...map, 99, 7]);
	const [pointers, extra] = calls[0]!.slice(-2) as [BigUint64Array, null];
	expect([...pointers.subarray(0, 3)]).toEqual([0x1000n, 0x1080n, 0x1088n]);
	expect(extra).toBe(null);
	const values = Buffer.from(memory[0]!.buffer);
	expect(map.map((word) => values.readInt32LE(4 * word))).toEqual(map);
	expect([values.readBigUInt64LE(128), values.readInt32LE(136)]).toEqual([99n, 7]);
});
