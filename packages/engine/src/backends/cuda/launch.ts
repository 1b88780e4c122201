import type { Driver } from './driver.ts';
import type { Kernel } from './kernels.ts';

export type Size3 = readonly [x: number, y?: number, z?: number];

/** CU_LAUNCH_PARAM_BUFFER_POINTER, CU_LAUNCH_PARAM_BUFFER_SIZE */
const [bufferPointer, bufferSize] = [1n, 2n];
const mostArgumentBytes = 512;

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
	const extra = Buffer.alloc(5 * 8);
	extra.writeBigUInt64LE(bufferPointer, 0);
	extra.writeBigUInt64LE(BigInt(driver.addressOf(values)), 8);
	extra.writeBigUInt64LE(bufferSize, 16);
	extra.writeBigUInt64LE(BigInt(driver.addressOf(size)), 24);

	/** Writes the arguments; throws if their number is not the signature's. */
	function pack({ name, signature }: Kernel, args: readonly number[]): void {
		if (args.length !== signature.length) {
			throw new TypeError(`the kernel ${name} takes ${signature.length} arguments, got ${args.length}`);
		}
		let offset = 0;
		for (let i = 0; i < args.length; i++) {
			const value = args[i]!;
			switch (signature[i]) {
				case 'l':
					offset = (offset + 7) & ~7;
					values.writeUInt32LE(value % 2 ** 32, offset);
					values.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
					offset += 8;
					break;
				case 'f':
					values.writeFloatLE(value, offset);
					offset += 4;
					break;
				default:
					values.writeInt32LE(value | 0, offset);
					offset += 4;
			}
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
		driver.cuLaunchKernel(
			kernel.handle,
			...([gridX, gridY, gridZ] as const),
			...([threads, 1, 1] as const),
			...([sharedBytes, stream, null, extra] as const),
		);
	};
}
