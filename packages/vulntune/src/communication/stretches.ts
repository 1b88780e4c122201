/** Where the stretch of a process begins in a vector of so many elements; that of `size` is the vector's end. */
export function stretchStart(length: number, rank: number, size: number): number {
	return Math.floor((length * rank) / size);
}
