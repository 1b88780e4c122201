import { elements, type View, viewOf } from '@vulntune/engine';

/** Where the stretch of a process begins in a vector of so many elements; that of `size` is the vector's end. */
export function stretchStart(length: number, rank: number, size: number): number {
	return Math.floor((length * rank) / size);
}

/** The stretches of vectors that one process of `size` adds up. */
export function stretchesOf(rank: number, size: number) {
	const bounds = (vector: View): { readonly start: number; readonly length: number } => {
		const whole = elements(vector.shape);
		const start = stretchStart(whole, rank, size);
		return { start, length: stretchStart(whole, rank + 1, size) - start };
	};
	return {
		bounds,
		/** The stretch as a view of the vector. */
		of(vector: View): View {
			const { start, length } = bounds(vector);
			return viewOf(vector.buffer, [length], vector.offset + start);
		},
	};
}
