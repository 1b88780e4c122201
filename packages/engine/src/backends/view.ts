import type { DataType, DeviceBuffer, View } from './contract.ts';

/** Number of elements of a shape; 1 for a scalar. */
export function elements(shape: readonly number[]): number {
	let product = 1;
	for (const size of shape) product *= size;
	return product;
}

/** The whole buffer, or the part from `offset`, seen with this shape. */
export function viewOf(buffer: DeviceBuffer, shape: readonly number[], offset = 0): View {
	return { buffer, offset, dtype: buffer.dtype, shape };
}

/** The same elements under another shape of equal size. */
export function reshape(view: View, shape: readonly number[]): View {
	return { ...view, shape };
}

/** Rows [from, to) of a tensor along its first axis. */
export function rowsOf(view: View, from: number, to: number): View {
	const rowLength = elements(view.shape.slice(1));
	return { ...view, offset: view.offset + from * rowLength, shape: [to - from, ...view.shape.slice(1)] };
}

/** `[3, 4] f32`: for error messages. */
export function describe(view: { readonly dtype?: DataType; readonly shape: readonly number[] }): string {
	return `[${view.shape.join(', ')}]${view.dtype === undefined ? '' : ` ${view.dtype}`}`;
}
