import { isQuantized, type QuantizedWeight, type Weight } from '../contract.ts';
import { type CudaDevice, kernelOf, type TakeScratch } from './device.ts';
import { takesGroups } from './group-products.ts';
import { type Operand, tensorOperand } from './operands.ts';
import { type ProductSize, type ProductTarget, targetArguments } from './product-target.ts';
import { tensorProduct } from './products.ts';
import { plainScales } from './weights.ts';

/** As in fusedProducts.cuh; shared memory is (rows + columns) × depth step × stages of 16 bits. */
const fusedTiles = { rows: 64, columns: 32, threads: 128, sharedBytes: (64 + 32) * 64 * 2 * 2 } as const;

/**
 * Rows up to which 4-bit weights become bfloat16 inside a product: one tile of them, so that each weight is dequantised once, as it is before
 * other products: 0.56 bytes a weight (4 bits, and a float32 scale for 64) in place of
 * 4.56, since bfloat16 is written and read beside them. More rows would read and dequantise the weights once a tile, and gain less and less while
 * tensor cores take most of the time. `npm run check:cuda` measures both over some rows (`fewRows`).
 */
const mostRows = fusedTiles.rows;

/** y = x · Wᵀ or dx = dy · W on tensor cores, with a weight [outputs, inputs] in any storage. */
export function weightProduct(
	device: CudaDevice,
	take: TakeScratch,
	direction: 'NT' | 'NN',
	target: ProductTarget,
	left: Operand,
	weight: Weight,
	size: ProductSize,
): void {
	if (fusesWeight(device, weight, size)) {
		const codes = device.address(weight.codes);
		const [scales, codebook] = [plainScales(device, take, weight), device.optionalAddress(weight.codebook)];
		fusedProduct(device, direction, target, left, { codes, scales, codebook }, size);
		return;
	}
	const [rows, columns] = weight.shape as [number, number];
	const right = tensorOperand(device, take, weight, { rows, columns });
	tensorProduct(device, direction, target, left, right, size);
}

/** Whether a product with this weight makes bfloat16 of it as it goes. Its result has the bytes of the other kernels that take bfloat16 by mma.sync. */
function fusesWeight(device: CudaDevice, weight: Weight, size: ProductSize): weight is QuantizedWeight {
	if (device.tensorType !== 'bf16' || takesGroups(device, size) || size.rows > mostRows) return false;
	return isQuantized(weight) && weight.layout === 'table4' && weight.shape[1]! % 8 === 0;
}

/** Addresses of 4-bit codes, their scales in float32 and their codebook. */
interface FusedWeight {
	readonly codes: number;
	readonly scales: number;
	readonly codebook: number;
}

/** The same with a weight that `fusesWeight` has said yes to, as the kernels are told of it. */
export function fusedProduct(
	device: CudaDevice,
	direction: 'NT' | 'NN',
	target: ProductTarget,
	leftOperand: Operand,
	{ codes, scales, codebook }: FusedWeight,
	{ rows, columns, depth }: ProductSize,
): void {
	const left = leftOperand('rows');
	const blocks = Math.ceil(rows / fusedTiles.rows) * Math.ceil(columns / fusedTiles.columns);
	device.launch(
		kernelOf(`fusedProduct${direction}`, target.type),
		[blocks],
		fusedTiles.threads,
		[
			...targetArguments(target),
			...[left.address, left.stride, codes, scales, codebook],
			...[rows, columns, depth],
		],
		fusedTiles.sharedBytes,
	);
}
