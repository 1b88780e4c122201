import { type Dropout, isQuantized, type View, type Weight } from '../contract.ts';
import {
	type CudaDevice,
	type ElementType,
	elementTypeOf,
	kernelOf,
	type TakeScratch,
	threadsPerBlock,
} from './device.ts';
import { maskWords } from './elementwise.ts';
import { groupProducts, takesGroups } from './group-products.ts';
import { type WeightArguments, weightArguments } from './weights.ts';

/** y = x · Wᵀ, dx = dy · W, dW = dyᵀ · x: how the two operands lie. */
export type Direction = 'NT' | 'NN' | 'TN';

/** Where a product goes: [rows, columns]. A gradient of a weight (`TN`) is f32. */
export interface ProductTarget {
	readonly address: number;
	readonly type: ElementType;
	readonly accumulate: boolean;
	readonly scale: number;
}

/** A view as a product's target. */
export function productTarget(device: CudaDevice, view: View, accumulate = false, scale = 1): ProductTarget {
	return { address: device.values(view), type: elementTypeOf(view), accumulate, scale };
}

/** As every kernel of a product takes it first. */
export function targetArguments({ address, accumulate, scale }: ProductTarget): readonly number[] {
	return [address, Number(accumulate), scale];
}

/** Sizes of a product: the result's rows and columns, and what is summed over. */
export interface ProductSize {
	readonly rows: number;
	readonly columns: number;
	readonly depth: number;
}

/** A matrix in bfloat16 whose rows are padded to `stride`, a multiple of 8. */
export interface HalfOperand {
	readonly address: number;
	readonly stride: number;
}

/** As in operands.cuh. */
const chunksPerThread = 8;

interface Tiles {
	readonly name: string;
	readonly rows: number;
	readonly columns: number;
	readonly threads: number;
	readonly sharedBytes: number;
}

/** As in tensorProducts.cuh; shared memory is (rows + columns) × depth step × stages bfloat16. */
const tensorTiles = {
	large: { name: 'Large', rows: 128, columns: 128, threads: 128, sharedBytes: (128 + 128) * 32 * 4 * 2 },
	small: { name: 'Small', rows: 64, columns: 64, threads: 128, sharedBytes: (64 + 64) * 64 * 3 * 2 },
} as const satisfies Record<string, Tiles>;

/** Large tiles are faster where there are enough of them for the whole card, two on a multiprocessor. */
function tilesFor(device: CudaDevice, { rows, columns }: ProductSize): Tiles {
	const { large, small } = tensorTiles;
	const count = Math.ceil(rows / large.rows) * Math.ceil(columns / large.columns);
	return count >= 2 * device.card.multiprocessors ? large : small;
}

const hopperProducts = new WeakMap<CudaDevice, ReturnType<typeof groupProducts>>();

function groupProductOf(device: CudaDevice) {
	const known = hopperProducts.get(device) ?? groupProducts(device);
	hopperProducts.set(device, known);
	return known;
}

/** A product of two matrices in bfloat16, summed in float32. */
export function tensorProduct(
	device: CudaDevice,
	direction: Direction,
	target: ProductTarget,
	left: HalfOperand,
	right: HalfOperand,
	size: ProductSize,
): void {
	if (takesGroups(device, size)) {
		groupProductOf(device)(direction, target, left, right, size);
		return;
	}
	const tiles = tilesFor(device, size);
	const blocks = Math.ceil(size.rows / tiles.rows) * Math.ceil(size.columns / tiles.columns);
	device.launch(
		kernelOf(`product${direction}${tiles.name}`, target.type),
		[blocks],
		tiles.threads,
		[
			...targetArguments(target),
			...[left.address, left.stride, right.address, right.stride],
			...[size.rows, size.columns, size.depth],
		],
		tiles.sharedBytes,
	);
}

/** Part of a matrix: rows from element `first` of the flat matrix on. */
export interface MatrixPart {
	readonly rows: number;
	readonly columns: number;
	readonly first?: number;
	readonly dropout?: Dropout | undefined;
}

/** The matrix in bfloat16; where it lies as the kernels want it already, nothing is copied. */
export function halfOperand(
	device: CudaDevice,
	take: TakeScratch,
	matrix: Weight,
	part: MatrixPart,
): HalfOperand {
	const { columns, first = 0, dropout } = part;
	if (!isQuantized(matrix) && matrix.dtype === 'bf16' && dropout === undefined) {
		const address = device.address(matrix) + 2 * first;
		if (columns % 8 === 0 && address % 16 === 0) return { address, stride: columns };
	}
	return halfOperandOf(device, take, weightArguments(device, take, matrix), part);
}

/** The same of a matrix that the kernels are told by its addresses. */
export function halfOperandOf(
	device: CudaDevice,
	take: TakeScratch,
	matrix: WeightArguments,
	{ rows, columns, first = 0, dropout }: MatrixPart,
): HalfOperand {
	const stride = Math.ceil(columns / 8) * 8;
	const address = take(rows * stride * 2);
	device.launchOver('matrixToBfloat16', Math.ceil((rows * stride) / 8 / chunksPerThread), [
		...[address, stride],
		...matrix,
		...[first, rows, columns],
		...maskWords(dropout),
	]);
	return { address, stride };
}

/** The address of a part of a matrix in float32, with dropout; copied where it isn't there already. */
export function floatOperand(
	device: CudaDevice,
	take: TakeScratch,
	matrix: Weight,
	{ rows, columns, first = 0, dropout }: MatrixPart,
): number {
	const count = rows * columns;
	const isFloat = !isQuantized(matrix) && matrix.dtype === 'f32';
	if (isFloat && dropout === undefined) return device.address(matrix) + 4 * first;
	const target = take(4 * count);
	if (!isFloat) {
		const weight = weightArguments(device, take, matrix);
		device.launchOver('weightToFloats', count, [target, ...weight, first, count, columns]);
	}
	if (dropout !== undefined) {
		const source = isFloat ? device.address(matrix) + 4 * first : target;
		device.launchOver('dropout', Math.ceil(count / 8), [target, source, count, ...maskWords(dropout)]);
	}
	return target;
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
