/** The baseline that calls everything vulnerable: probability 1 for each function, whatever the threshold. */
export function allPositive(functions: number): Float64Array {
	return new Float64Array(functions).fill(1); // [functions]
}
