/** The kernels of native/cuda/variants, which no card has timed yet: their sizes once more, and how they are started. */

import { layoutOf } from '@vulntune/engine/backends/cuda/argument-layout.ts';
import type { CudaDevice } from '@vulntune/engine/backends/cuda/device.ts';
import { tensorMapOf } from '@vulntune/engine/backends/cuda/group-products.ts';
import { createLauncher } from '@vulntune/engine/backends/cuda/launch.ts';
import type { Direction, ProductSize } from '@vulntune/engine/backends/cuda/product-target.ts';

/** What a kernel multiplies: addresses, of operands without gaps between their rows. */
export interface Multiplication extends ProductSize {
	readonly out: number;
	readonly left: number;
	readonly right: number;
}

/** As in products.cuh. */
export const tiles = (
	[
		[128, 128, 32, 3, 'ahead'],
		[128, 128, 32, 3, 'rolling'],
		[128, 256, 32, 4, 'ahead'],
		[128, 256, 32, 4, 'rolling'],
		[128, 256, 64, 3, 'ahead'],
		[256, 192, 32, 4, 'rolling'],
	] as const
).map(([rows, columns, depthStep, stages, order]) => ({
	...{ name: `${rows}x${columns}x${depthStep}x${stages}${order}`, rows, columns },
	// two blocks of few threads share a multiprocessor
	...(columns === 128 ? { threads: 128, blocks: 2 } : { threads: 256, blocks: 1 }),
	sharedBytes: (rows + columns) * depthStep * stages * 2,
}));
export type Tiles = (typeof tiles)[number];

export function variantName(direction: Direction, { name }: Tiles): string {
	return `variant${direction}${name}`;
}

/** As in widths.cuh and groupProduct.cuh. */
export const widths = [160, 192, 224] as const;
const group = { rows: 128, depthStep: 64, stages: 4, threads: 384 } as const;

/** CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
const sharedLimitAttribute = 8;

/** Starts the kernels of a module on a device; throws what its driver says where a kernel's tiles don't fit the card. */
function startFrom(device: CudaDevice, ptx: Buffer) {
	const { driver } = device;
	const module: [unknown] = [undefined];
	driver.cuModuleLoadData(module, Buffer.concat([ptx, Buffer.alloc(1)]));
	const launch = createLauncher(driver, device.stream);
	const handles = new Map<string, unknown>();
	return (
		name: string,
		signature: string,
		blocks: number,
		threads: number,
		sharedBytes: number,
		args: readonly number[],
	) => {
		if (!handles.has(name)) {
			const handle: [unknown] = [undefined];
			driver.cuModuleGetFunction(handle, module[0], name);
			driver.cuFuncSetAttribute(handle[0], sharedLimitAttribute, sharedBytes);
			handles.set(name, handle[0]);
		}
		const kernel = { name, layout: layoutOf(signature), handle: handles.get(name) };
		launch(kernel, [blocks], threads, sharedBytes, args);
	};
}

/** Products in these tiles; `goesOn` starts as many blocks as the card holds, each of which goes from tile to tile. */
export function tileVariants(device: CudaDevice, ptx: Buffer) {
	const start = startFrom(device, ptx);
	return (direction: Direction, variant: Tiles, goesOn: boolean, multiplication: Multiplication) => {
		const { out, left, right, rows, columns, depth } = multiplication;
		const count = Math.ceil(rows / variant.rows) * Math.ceil(columns / variant.columns);
		const blocks = goesOn ? Math.min(count, variant.blocks * device.card.multiprocessors) : count;
		start(variantName(direction, variant), 'lifliliiii', blocks, variant.threads, variant.sharedBytes, [
			...[out, 0, 1],
			...[left, direction === 'TN' ? rows : depth],
			...[right, direction === 'NT' ? depth : columns],
			...[rows, columns, depth],
		]);
	};
}

/** x · Wᵀ by warp groups, in tiles of a width. */
export function widthVariants(device: CudaDevice, ptx: Buffer) {
	const start = startFrom(device, ptx);
	return (width: number, { out, left, right, rows, columns, depth }: Multiplication) => {
		const count = Math.ceil(rows / group.rows) * Math.ceil(columns / width);
		const map = (address: number, lines: number, boxRows: number) =>
			tensorMapOf(device, { address, stride: depth }, lines, depth, boxRows);
		start(
			...([`groupVariantNT${width}`, 'TTlifiii'] as const),
			...([Math.min(device.card.multiprocessors, count), group.threads] as const),
			2 * group.stages * group.depthStep * (group.rows + width) + 1024,
			[...map(left, rows, group.rows), ...map(right, columns, width), ...[out, 0, 1, rows, columns, depth]],
		);
	};
}
