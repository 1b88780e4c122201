let zeros = new ArrayBuffer(0);

/** So many bytes of zeros, the same for everybody: nobody writes to them, and memory that isn't written to is never taken. */
export function sharedZeros(byteLength: number): ArrayBuffer {
	if (zeros.byteLength < byteLength) zeros = new ArrayBuffer(byteLength);
	return zeros;
}
