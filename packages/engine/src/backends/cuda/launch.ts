import { type ArgumentLayout, asFloat, asLong } from './argument-layout.ts';
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
	const values = new ArrayBuffer(mostArgumentBytes);
	const [words, reals] = [new Uint32Array(values), new Float32Array(values)];
	const start = BigInt(driver.addressOf(new Uint8Array(values)));
	/** Of each argument, by the layout. */
	const pointers = new Map<ArgumentLayout, BigUint64Array>();
	const size = new Uint32Array(2);
	const extra = BigUint64Array.of(
		bufferPointer,
		start,
		bufferSize,
		BigInt(driver.addressOf(new Uint8Array(size.buffer))),
		0n,
	);

	/** Where each argument lies; undefined where the driver needs to know of the buffer alone. */
	function pointersOf(layout: ArgumentLayout): BigUint64Array | undefined {
		if (layout.placed === undefined) return undefined;
		const known = pointers.get(layout);
		if (known !== undefined) return known;
		const made = BigUint64Array.from(layout.placed, (word) => start + BigInt(4 * word));
		pointers.set(layout, made);
		return made;
	}

	/** Writes the arguments; throws if their number is not the signature's. */
	function pack({ name, layout }: Kernel, args: readonly number[]): void {
		const { kinds, words: places } = layout;
		const count = kinds.length;
		if (args.length !== count) {
			throw new TypeError(`the kernel ${name} takes ${count} arguments, got ${args.length}`);
		}
		for (let i = 0; i < count; i++) {
			const [value, word] = [args[i]!, places[i]!];
			if (kinds[i] === asFloat) {
				reals[word] = value;
				continue;
			}
			// an array of such words keeps the lower 32 bits of a whole number
			words[word] = value;
			if (kinds[i] === asLong) words[word + 1] = value / 2 ** 32;
		}
		size[0] = layout.bytes;
	}

	return function launch(
		kernel: Kernel,
		grid: Size3,
		threads: number,
		sharedBytes: number,
		args: readonly number[],
	): void {
		pack(kernel, args);
		const parameters = pointersOf(kernel.layout);
		const [gridX, gridY, gridZ] = [grid[0], grid[1] ?? 1, grid[2] ?? 1];
		// spread, they would take as long as the call
		driver.cuLaunchKernel(
			kernel.handle,
			gridX,
			gridY,
			gridZ,
			threads,
			1,
			1,
			sharedBytes,
			stream,
			parameters ?? null,
			parameters === undefined ? extra : null,
		);
	};
}
