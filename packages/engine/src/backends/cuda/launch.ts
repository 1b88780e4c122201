import type { Driver } from './driver.ts';
import type { Kernel } from './kernels.ts';

export type Size3 = readonly [x: number, y?: number, z?: number];

/** CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE */
const [bufferPointer, bufferSize] = [1n, 2n];
const mostArgumentBytes = 512;
const tensorMapWords = 32;

const numbers = new DataView(new ArrayBuffer(4));
/** The bits of a float, for structures, whose fields a signature knows as words. */
export function floatBits(value: number): number {
	numbers.setFloat32(0, value);
	return numbers.getInt32(0);
}

/** Launches kernels on a stream, with their arguments in one buffer as their signatures say. */
export function createLauncher(driver: Driver, stream: unknown) {
	const values = new ArrayBuffer(mostArgumentBytes);
	const [words, reals] = [new Uint32Array(values), new Float32Array(values)];
	const start = BigInt(driver.addressOf(new Uint8Array(values)));
	/** Of each argument. */
	const pointers = new BigUint64Array(mostArgumentBytes / 4);
	const size = new Uint32Array(2);
	const extra = BigUint64Array.of(
		bufferPointer,
		start,
		bufferSize,
		BigInt(driver.addressOf(new Uint8Array(size.buffer))),
		0n,
	);

	/** Writes the arguments; throws if their number is not the signature's. */
	function pack({ name, signature }: Kernel, args: readonly number[]): void {
		let word = 0;
		let used = 0;
		for (let position = 0; position < signature.length; position++) {
			const letter = signature[position];
			if (letter === 'l') word = (word + 1) & ~1;
			pointers[position] = start + BigInt(4 * word);
			switch (letter) {
				case 'l': {
					const value = args[used++]!;
					words[word++] = value % 2 ** 32;
					words[word++] = value / 2 ** 32;
					break;
				}
				case 'f':
					reals[word++] = args[used++]!;
					break;
				default:
					for (let left = letter === 'T' ? tensorMapWords : 1; left > 0; left--)
						words[word++] = args[used++]!;
			}
		}
		if (args.length !== used) {
			throw new TypeError(`the kernel ${name} takes ${used} arguments, got ${args.length}`);
		}
		size[0] = 4 * word;
	}

	return function launch(
		kernel: Kernel,
		[gridX, gridY = 1, gridZ = 1]: Size3,
		threads: number,
		sharedBytes: number,
		args: readonly number[],
	): void {
		pack(kernel, args);
		// the card aligns a tensor map to more than where a buffer begins, so then the driver has to place each argument
		const inOneBuffer = !kernel.signature.includes('T');
		driver.cuLaunchKernel(
			kernel.handle,
			...([gridX, gridY, gridZ] as const),
			...([threads, 1, 1] as const),
			...([sharedBytes, stream, inOneBuffer ? null : pointers, inOneBuffer ? extra : null] as const),
		);
	};
}
