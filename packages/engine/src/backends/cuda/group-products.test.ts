/** What Hopper's products are told of matrices: the copy engine that reads them by it is on a card alone. */
import { expect, it } from 'vitest';
import type { CudaDevice } from './device.ts';
import { groupProducts } from './group-products.ts';

const target = { address: 4096, type: 'f32', accumulate: true, scale: 0.5 } as const;
const mapWords = 32;

/** A matrix as a tensor map describes it: elements of a row, rows, bytes from row to row, and the box that is read at once. */
interface Described {
	readonly address: number;
	readonly sizes: readonly number[];
	readonly stride: number;
	readonly box: readonly number[];
}

/** A device that keeps what is described and launched; the first word of a map is its number. */
function watchedDevice() {
	const described: Described[] = [];
	const launches: {
		name: string;
		grid: readonly number[];
		left: Described;
		right: Described;
		rest: readonly number[];
	}[] = [];
	const driver = {
		addressOf: () => 16n,
		cuTensorMapEncodeTiled(map: Buffer, _type: number, _rank: number, address: number, ...more: unknown[]) {
			const [sizes, strides, box] = (more as ArrayLike<bigint | number>[]).map((one) =>
				Array.from(one, Number),
			);
			map.writeUInt32LE(described.length);
			described.push({ address, sizes: sizes!, stride: strides![0]!, box: box! });
		},
	};
	const device = {
		card: { multiprocessors: 132 },
		hasWarpGroups: true,
		driver,
		launch(name: string, grid: readonly number[], _threads: number, args: readonly number[]) {
			const [left, right] = [described[args[0]!]!, described[args[mapWords]!]!];
			launches.push({ name, grid, left, right, rest: args.slice(2 * mapWords) });
		},
	} as unknown as CudaDevice;
	return { multiply: groupProducts(device), described, launches };
}

const [left, right] = [
	{ address: 1 << 20, stride: 72 },
	{ address: 2 << 20, stride: 512 },
];
const size = { rows: 300, columns: 512, depth: 70 };

it.each([
	['NT', [70, 300], [64, 128], [70, 512]],
	['NN', [70, 300], [64, 128], [512, 70]],
	['TN', [300, 70], [64, 64], [512, 70]],
] as const)('reads both matrices of %s as they lie', (direction, sizesOfLeft, boxOfLeft, sizesOfRight) => {
	const { multiply, launches } = watchedDevice();
	multiply(direction, target, left!, right!, size);
	const [launch] = launches;
	expect(launch).toMatchObject({
		name: expect.stringContaining(`groupProduct${direction}`),
		left: { address: 1 << 20, sizes: sizesOfLeft, stride: 144, box: boxOfLeft },
		right: { address: 2 << 20, sizes: sizesOfRight, stride: 1024 },
		rest: [4096, 1, 0.5, 300, 512, 70],
	});
	// a tile's rows of the right matrix, or 64 of its depth
	const width = launch!.name.endsWith('Wide') ? 256 : 128;
	expect(launch!.right.box).toEqual([64, direction === 'NT' ? width : 64]);
});

it('takes the tiles that leave fewer multiprocessors idle', () => {
	const { multiply, launches } = watchedDevice();
	const launched = (rows: number, columns: number) => {
		multiply('NT', target, left!, right!, { rows, columns, depth: 64 });
		const { name, grid } = launches.at(-1)!;
		return [name, ...grid];
	};
	expect(launched(512, 5120)).toEqual(['groupProductNTWide', 80]);
	expect(launched(128, 256)).toEqual(['groupProductNTNarrow', 2]);
	// more than there are multiprocessors: each takes one after another
	expect(launched(4096, 13_824)).toEqual(['groupProductNTWide', 132]);
});

it('describes a matrix once, and anew where another lies at its address', () => {
	const { multiply, described, launches } = watchedDevice();
	for (const rows of [300, 300, 200, 300]) multiply('NT', target, left!, right!, { ...size, rows });
	expect(described).toHaveLength(3);
	expect(launches.map((launch) => launch.left.sizes[1])).toEqual([300, 300, 200, 300]);
	multiply('NT', target, { ...left!, stride: 80 }, right!, size);
	expect(launches.at(-1)!.left.stride).toBe(160);
	// more addresses than are kept
	for (let address = 1; address < 4000; address++) {
		multiply('NT', target, { address: 256 * address, stride: 72 }, right!, size);
		expect(launches.at(-1)!.left.address).toBe(256 * address);
		expect(launches.at(-1)!.right.address).toBe(2 << 20);
	}
});
