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
	const values = Buffer.alloc(mostArgumentBytes);
	const size = Buffer.alloc(8);
	const start = BigInt(driver.addressOf(values));
	/** Of each argument. */
	const addresses = Buffer.alloc(mostArgumentBytes * 2);
	const extra = Buffer.alloc(5 * 8);
	extra.writeBigUInt64LE(bufferPointer, 0);
	extra.writeBigUInt64LE(start, 8);
	extra.writeBigUInt64LE(bufferSize, 16);
	extra.writeBigUInt64LE(BigInt(driver.addressOf(size)), 24);

	/** Writes the arguments; throws if their number is not the signature's. */
	function pack({ name, signature }: Kernel, args: readonly number[]): void {
		let offset = 0;
		let used = 0;
		for (const [position, letter] of [...signature].entries()) {
			if (letter === 'l') offset = (offset + 7) & ~7;
			addresses.writeBigUInt64LE(start + BigInt(offset), 8 * position);
			for (let word = letter === 'T' ? tensorMapWords : 1; word > 0; word--) {
				const value = args[used++] ?? Number.NaN;
				if (letter === 'l') {
					values.writeUInt32LE(value % 2 ** 32, offset);
					offset += 4;
					values.writeUInt32LE(Math.floor(value / 2 ** 32), offset);
				} else if (letter === 'f') values.writeFloatLE(value, offset);
				else values.writeInt32LE(value | 0, offset);
				offset += 4;
			}
		}
		if (args.length !== used) {
			throw new TypeError(`the kernel ${name} takes ${used} arguments, got ${args.length}`);
		}
		size.writeUInt32LE(offset, 0);
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
			...([sharedBytes, stream, inOneBuffer ? null : addresses, inOneBuffer ? extra : null] as const),
		);
	};
}
