import { type CudaDevice, kernelOf, type TakeScratch, threadsPerBlock } from './device.ts';
import { type ProductSize, type ProductTarget, targetArguments } from './product-target.ts';

const scaleBlock = 64;

/** Codes [rows, 64 × blocks] and scales [rows, blocks] of a float32 operand. */
function quantized(
	device: CudaDevice,
	take: TakeScratch,
	values: number,
	[rowStride, depthStride]: readonly [number, number],
	rows: number,
	depth: number,
): readonly [codes: number, scales: number] {
	const blocks = rows * Math.ceil(depth / scaleBlock);
	const [codes, scales] = [take(blocks * scaleBlock), take(4 * blocks)];
	device.launchOver('quantizeInt8', 32 * blocks, [
		...[codes, scales, values, rowStride, depthStride, rows, depth],
	]);
	return [codes, scales];
}

/** left [rows, depth] · right in 8 bits, both float32: right [columns, depth], or [depth, columns] where it lies by depth. */
export function int8Product(
	device: CudaDevice,
	take: TakeScratch,
	target: ProductTarget,
	left: number,
	right: number,
	rightByDepth: boolean,
	{ rows, columns, depth }: ProductSize,
): void {
	const rightStrides = rightByDepth ? ([1, columns] as const) : ([depth, 1] as const);
	const operands = [
		...quantized(device, take, left, [depth, 1], rows, depth),
		...quantized(device, take, right, rightStrides, columns, depth),
	];
	const grid = [Math.ceil(rows / 16), Math.ceil(columns / 16)] as const;
	device.launch(kernelOf('int8Product', target.type), grid, threadsPerBlock, [
		...targetArguments(target),
		...operands,
		...[rows, columns, Math.ceil(depth / scaleBlock)],
	]);
}
