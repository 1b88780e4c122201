import { VulntuneError } from '../errors.ts';
import type { DataType, DeviceBuffer, View } from './contract.ts';

/** Number of elements of a shape; 1 for a scalar. */
export function elements(shape: readonly number[]): number {
	let product = 1;
	for (let axis = 0; axis < shape.length; axis++) product *= shape[axis]!;
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

/** Columns [from, to) of a matrix, as they lie. */
export function columnsOf(view: View, from: number, to: number): View {
	const [rows, columns] = view.shape as readonly [number, number];
	if (to - from === columns) return view;
	return { ...view, offset: view.offset + from, shape: [rows, to - from], rowStride: rowStrideOf(view) };
}

/** Elements from one row of a matrix to the next. */
export function rowStrideOf(view: Pick<View, 'rowStride' | 'shape'>): number {
	return view.rowStride ?? rowLength(view);
}

/** Elements of a row. */
function rowLength({ shape }: Pick<View, 'shape'>): number {
	let product = 1;
	for (let axis = 1; axis < shape.length; axis++) product *= shape[axis]!;
	return product;
}

/** Elements of the buffer from the first of a view to its last. */
export function extent(view: Pick<View, 'rowStride' | 'shape'>): number {
	if (view.rowStride === undefined) return elements(view.shape);
	const [rows, columns] = view.shape as readonly [number, number];
	return rows === 0 ? 0 : (rows - 1) * view.rowStride + columns;
}

/** Rows [from, to) of a tensor along its first axis. */
export function rowsOf(view: View, from: number, to: number): View {
	return {
		...view,
		offset: view.offset + from * rowStrideOf(view),
		shape: [to - from, ...view.shape.slice(1)],
	};
}

/** Whether rows lie apart: what most kernels refuse. */
export function isStrided(view: Pick<View, 'rowStride' | 'shape'>): boolean {
	return view.rowStride !== undefined && view.rowStride !== rowLength(view);
}

/** `[3, 4] f32`: for error messages. */
export function describe(view: { readonly dtype?: DataType; readonly shape: readonly number[] }): string {
	return `[${view.shape.join(', ')}]${view.dtype === undefined ? '' : ` ${view.dtype}`}`;
}

/** Says that a kernel was given columns of a wider matrix and takes none. */
export function stridedError(view: View): VulntuneError {
	return new VulntuneError({
		code: 'VIEW_STRIDE',
		kind: 'runtime',
		message: `a kernel that takes contiguous tensors was given ${describe(view)} with ${view.rowStride} elements from row to row`,
		remedy: 'This is a mistake in vulntune; please report it.',
	});
}
