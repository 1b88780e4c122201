import type { View } from '../contract.ts';
import { type CudaDevice, type ElementType, elementTypeOf } from './device.ts';

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
