import { expect, it } from 'vitest';
import { createDeviceOf } from './create-device.ts';
import { CardMemoryExhausted, type Driver, DriverFailure } from './driver.ts';
import { dryDriver } from './dry-driver.ts';
import { createStaging } from './staging.ts';

const mebibyte = 2 ** 20;

/** Of a card on which the byte 10 · n lies at address n; copies from it run as late as they may: when the host waits. */
function lateStaging() {
	let waits = 0;
	let copies: (() => void)[] = [];
	const uploaded: unknown[] = [];
	const blocks: number[] = [];
	const dry = dryDriver(2 ** 30);
	// no test looks at two of the large blocks
	const room = new Uint8Array(4 * mebibyte);
	const driver: Driver = {
		...dry,
		cuMemAllocHost_v2(address, bytes) {
			blocks.push(bytes);
			dry.cuMemAllocHost_v2(address, bytes);
		},
		hostMemory: (_, bytes) => (bytes === room.length ? room : new Uint8Array(bytes)),
		cuMemcpyHtoDAsync_v2: (_, from) => void uploaded.push(from),
		cuMemcpyDtoHAsync_v2(to, from) {
			copies.push(() => (to as Uint8Array).fill(10 * from));
		},
	};
	const staging = createStaging(driver, 'stream', () => {
		waits++;
		for (const copy of copies) copy();
		copies = [];
	});
	return { staging, uploaded, blocks, waits: () => waits };
}

it('lets copies to the card hold 64 MiB and no more before the host waits', () => {
	const { staging, blocks, waits } = lateStaging();
	const source = new Uint8Array(4 * mebibyte);
	const waitsAfter = (uploads: number) => {
		for (let upload = 0; upload < uploads; upload++) staging.upload(1, source);
		return waits();
	};
	expect([16, 1, 15, 1].map(waitsAfter)).toEqual([0, 1, 1, 2]);
	expect(blocks).toHaveLength(16);
});

it('leaves what is larger to the driver, and waits for what that brings', () => {
	const { staging, uploaded, blocks, waits } = lateStaging();
	const large = new Uint8Array(4 * mebibyte + 1);
	staging.upload(1, large);
	// not compared by their bytes
	expect(uploaded.map((source) => source === large)).toEqual([true]);
	expect(waits()).toBe(0);
	const read = staging.download(large, 3);
	expect([large[0], large.at(-1)]).toEqual([30, 30]);
	expect(waits()).toBe(1);
	expect(read() === large).toBe(true);
	expect(waits()).toBe(1);
	expect(blocks).toEqual([]);
});

it('gives what was read once more, and its memory to one download alone', () => {
	const { staging, waits } = lateStaging();
	const start = (address: number) => staging.download(new Uint8Array(2), address);
	const read = start(1);
	const first = read();
	expect(first).toEqual(Uint8Array.of(10, 10));
	const others = [start(2), start(3)];
	expect(read()).toBe(first);
	others.push(start(4));
	expect(others.map((other) => other()[0])).toEqual([20, 30, 40]);
	expect(first).toEqual(Uint8Array.of(10, 10));
	// all that was started before a wait comes with it
	expect(waits()).toBe(2);
});

it('waits, and gives back what it has locked, before it asks for more than the system locks', () => {
	let locked = 0;
	let waits = 0;
	const dry = dryDriver(2 ** 30);
	const sizes = new Map<number, number>();
	const driver: Driver = {
		...dry,
		cuMemAllocHost_v2(address, bytes) {
			if (locked + bytes > 3 * mebibyte) throw new CardMemoryExhausted();
			dry.cuMemAllocHost_v2(address, bytes);
			sizes.set(address[0], bytes);
			locked += bytes;
		},
		cuMemFreeHost(address) {
			// a copy may still read it
			expect(waits).toBeGreaterThan(0);
			locked -= sizes.get(address)!;
		},
	};
	const staging = createStaging(driver, 'stream', () => void waits++);
	staging.upload(1, new Uint8Array(mebibyte));
	staging.upload(1, new Uint8Array(2 * mebibyte));
	expect(waits).toBe(0);
	// in the place of both, which have arrived then
	staging.upload(1, new Uint8Array(3 * mebibyte));
	expect([waits, locked]).toEqual([1, 3 * mebibyte]);
	const most = expect.objectContaining({
		...{ code: 'OUT_OF_MEMORY', kind: 'resources' },
		summary: expect.stringContaining('no 4.0 MiB more of its memory'),
	});
	expect(() => staging.upload(1, new Uint8Array(4 * mebibyte))).toThrow(most);
});

it('names the kernel before it where a large copy is told that the card failed', () => {
	const refuse = () => {
		throw new DriverFailure('illegal address', 700);
	};
	const failing = { ...dryDriver(2 ** 30), cuMemcpyDtoHAsync_v2: refuse, cuMemcpyHtoDAsync_v2: refuse };
	const card = {
		ordinal: 0,
		name: 'a card',
		capability: 80,
		driver: '12.0',
		memoryBytes: 2 ** 30,
		handle: 0,
	};
	const device = createDeviceOf(failing, { ...card, multiprocessors: 1 }, 'auto');
	device.launchOver('fillFloat', 1, [256, 1, 0]);
	const large = new Uint8Array(4 * mebibyte + 1);
	const told = 'the card failed in a kernel not later than fillFloat';
	expect(() => device.staging.download(large, 256)).toThrow(told);
	expect(() => device.staging.upload(256, large)).toThrow(told);
});
