import { type CudaDevice, kernelOf, threadsPerBlock } from './device.ts';
import { groupProducts, takesGroups } from './group-products.ts';
import type { TensorType } from './kernels.ts';
import type { HalfOperand, Operand } from './operands.ts';
import { type Direction, type ProductSize, type ProductTarget, targetArguments } from './product-target.ts';

interface Tiles {
	readonly name: string;
	readonly rows: number;
	readonly columns: number;
	readonly threads: number;
	readonly sharedBytes: number;
}

/** As in tensorProducts.cuh and float16Products.cuh; shared memory is (rows + columns) × depth step × stages of 16 bits. */
const tensorTiles = {
	bf16: {
		large: { name: 'Large', rows: 128, columns: 128, threads: 128, sharedBytes: (128 + 128) * 32 * 4 * 2 },
		small: { name: 'Small', rows: 64, columns: 64, threads: 128, sharedBytes: (64 + 64) * 64 * 3 * 2 },
	},
	f16: {
		large: { name: 'Large', rows: 128, columns: 128, threads: 128, sharedBytes: (128 + 128) * 32 * 2 * 2 },
		small: { name: 'Small', rows: 64, columns: 64, threads: 128, sharedBytes: (64 + 64) * 32 * 2 * 2 },
	},
} as const satisfies Record<TensorType, Record<string, Tiles>>;

/** Large tiles are faster where there are enough of them for the whole card, two on a multiprocessor. */
function tilesFor(device: CudaDevice, type: TensorType, { rows, columns }: ProductSize): Tiles {
	const { large, small } = tensorTiles[type];
	const count = Math.ceil(rows / large.rows) * Math.ceil(columns / large.columns);
	return count >= 2 * device.card.multiprocessors ? large : small;
}

const hopperProducts = new WeakMap<CudaDevice, ReturnType<typeof groupProducts>>();

function groupProductOf(device: CudaDevice) {
	const known = hopperProducts.get(device) ?? groupProducts(device);
	hopperProducts.set(device, known);
	return known;
}

/** A product of two matrices in 16 bits, summed in float32. */
export function tensorProduct(
	device: CudaDevice,
	direction: Direction,
	target: ProductTarget,
	leftOperand: Operand,
	rightOperand: Operand,
	size: ProductSize,
): void {
	const left = leftOperand(direction === 'TN' ? 'columns' : 'rows');
	const right = rightOperand(direction === 'NT' ? 'rows' : 'columns');
	if (takesGroups(device, size)) {
		groupProductOf(device)(direction, target, left, right, size);
		return;
	}
	const type = left.largest === undefined ? 'bf16' : 'f16';
	const tiles = tilesFor(device, type, size);
	const blocks = Math.ceil(size.rows / tiles.rows) * Math.ceil(size.columns / tiles.columns);
	const name = type === 'bf16' ? 'product' : 'float16Product';
	device.launch(
		kernelOf(`${name}${direction}${tiles.name}`, target.type),
		[blocks],
		tiles.threads,
		[
			...targetArguments(target),
			...operandArguments(left),
			...operandArguments(right),
			...[size.rows, size.columns, size.depth],
		],
		tiles.sharedBytes,
	);
}

function operandArguments({ address, stride, largest }: HalfOperand): readonly number[] {
	return largest === undefined ? [address, stride] : [address, stride, largest];
}

/** Strides of an operand [rows of the result, depth], or [depth, rows]. */
function strides(byDepth: boolean, rows: number, depth: number): [row: number, depth: number] {
	return byDepth ? [1, rows] : [depth, 1];
}

/** A product of two matrices in float32. */
export function floatProduct(
	device: CudaDevice,
	direction: Direction,
	target: ProductTarget,
	left: number,
	right: number,
	{ rows, columns, depth }: ProductSize,
): void {
	const grid = [Math.ceil(rows / 64), Math.ceil(columns / 64)] as const;
	device.launch(kernelOf('floatProduct', target.type), grid, threadsPerBlock, [
		...targetArguments(target),
		...[left, ...strides(direction === 'TN', rows, depth)],
		...[right, ...strides(direction !== 'NT', columns, depth)],
		...[rows, columns, depth],
	]);
}
