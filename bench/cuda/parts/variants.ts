import { existsSync, readFileSync } from 'node:fs';
import { createDevice } from '@vulntune/engine/backends/cuda/create-device.ts';
import type { CudaDevice } from '@vulntune/engine/backends/cuda/device.ts';
import { tensorProduct } from '@vulntune/engine/backends/cuda/products.ts';
import { bytesOf } from '@vulntune/engine/backends/owned-buffers.ts';
import { randomHalves } from '../random.ts';
import { millisecondsOf } from '../timing.ts';
import { type Multiplication, tiles, tileVariants, widths, widthVariants } from '../variants.ts';

type Size = readonly [rows: number, columns: number, depth: number];
type Run = (multiplication: Multiplication) => void;

const built = new URL('../../../packages/engine/build/cuda-variants/', import.meta.url);
/** A square, and layers of a 13B model. */
const sizes: readonly Size[] = [
	[8192, 8192, 8192],
	[512, 5120, 5120],
	[512, 13824, 5120],
	[512, 5120, 13824],
	[2048, 5120, 5120],
	[2048, 13824, 5120],
	[4096, 5120, 5120],
];

/** x · Wᵀ by kernels that the package doesn't have yet, beside those that it has. */
export function variantsPart() {
	if (!existsSync(built)) return { notBuilt: 'packages/engine/native/cuda/variants/build.mjs makes them' };
	return { unit: 'TFLOP/s', 'mma.sync': tileRows(), wgmma: widthRows() };
}

function tileRows() {
	const device = createDevice(0, 'mma');
	if (device.tensorType !== 'bf16') return undefined;
	const run = tileVariants(device, readFileSync(new URL('compute_80.ptx', built)));
	const runs = tiles.flatMap((variant) =>
		[false, true].map((goesOn): [string, Run] => [
			goesOn ? `${variant.name}, from tile to tile` : variant.name,
			(multiplication) => run('NT', variant, goesOn, multiplication),
		]),
	);
	const rows = sizes.map((size) => row(device, size, runs));
	device.close();
	return rows;
}

function widthRows() {
	const device = createDevice(0);
	if (!device.hasWarpGroups) return undefined;
	const run = widthVariants(device, readFileSync(new URL('compute_90a.ptx', built)));
	const runs = widths.map((width): [string, Run] => [
		`${width} columns`,
		(multiplication) => run(width, multiplication),
	]);
	const rows = sizes.map((size) => row(device, size, runs));
	device.close();
	return rows;
}

/** What each makes of one product: how fast, and whether it has the bytes of the kernel at hand. */
function row(device: CudaDevice, [rows, columns, depth]: Size, runs: readonly (readonly [string, Run])[]) {
	return device.withScratch(
		() => 'a product',
		(take) => {
			const size = { rows, columns, depth };
			const left = randomHalves(device, take, rows * depth);
			const right = randomHalves(device, take, columns * depth);
			const bytes = bytesOf('bf16', rows * columns);
			const out = take(bytes);
			const teraflops = (run: () => void) =>
				(2 * rows * columns * depth) / millisecondsOf(device, run, 11) / 1e9;
			const found = () => {
				const copy = new Uint8Array(bytes);
				device.driver.cuMemcpyDtoHAsync_v2(copy, out, bytes, device.stream);
				device.driver.cuStreamSynchronize(device.stream);
				return Buffer.from(copy.buffer);
			};
			const target = { address: out, type: 'bf16', accumulate: false, scale: 1 } as const;
			const operand = (address: number) => () => ({ address, stride: depth });
			const present = teraflops(() =>
				tensorProduct(device, 'NT', target, operand(left), operand(right), size),
			);
			const expected = found();
			const measure = (run: Run) => {
				device.driver.cuMemsetD32Async(out, 0, bytes / 4, device.stream);
				try {
					const speed = teraflops(() => run({ ...size, out, left, right }));
					return { teraflops: speed, sameBytes: found().equals(expected) };
				} catch (error) {
					return { failed: (error as Error).message };
				}
			};
			const variants = Object.fromEntries(runs.map(([name, run]) => [name, measure(run)]));
			return { size: [rows, columns, depth].join('x'), present, variants };
		},
	);
}
