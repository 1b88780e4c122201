import { createCudaBackend, type View } from '@vulntune/engine';
import { createDevice } from '@vulntune/engine/backends/cuda/create-device.ts';
import type { CudaDevice, TakeScratch } from '@vulntune/engine/backends/cuda/device.ts';
import { type Operand, tensorOperandOf } from '@vulntune/engine/backends/cuda/operands.ts';
import type { Direction } from '@vulntune/engine/backends/cuda/product-target.ts';
import { tensorProduct } from '@vulntune/engine/backends/cuda/products.ts';
import { fusedProduct } from '@vulntune/engine/backends/cuda/weight-products.ts';
import { floatArguments, storages, type WeightArguments } from '@vulntune/engine/backends/cuda/weights.ts';
import { bytesOf } from '@vulntune/engine/backends/owned-buffers.ts';
import { emptyTensor, tensor } from '@vulntune/engine/backends/testing/tensors.ts';
import { askPeers } from '../peers.ts';
import { randomFloats, randomHalves, randomNumbers } from '../random.ts';
import { millisecondsOf } from '../timing.ts';

type Size = readonly [rows: number, columns: number, depth: number];

const square: Size = [8192, 8192, 8192];
/** A 13B model's layers over packs of 512 to 4,096 tokens. */
const layers: readonly Size[] = [512, 2048, 4096].flatMap((tokens): Size[] => [
	[tokens, 5120, 5120],
	[tokens, 13824, 5120],
	[tokens, 5120, 13824],
]);
const copyBytes = 2 ** 32;

/** Products and what prepares their operands, beside PyTorch's. */
export function productsPart() {
	const device = createDevice(0);
	const other = createDevice(0, 'mma');
	const sizes = [square, ...layers];
	const names = sizes.map((size) => size.join('x'));
	const ours = sizes.map((size) => productRow(device, other, size));
	const preparing = {
		...operandTimes(device),
		...adapterTimes(),
		copyGigabytesPerSecond: copySpeed(device),
	};
	const fewRows = other.tensorType === 'bf16' ? fewRowTimes(other) : undefined;
	device.close();
	other.close();
	const peers = askPeers<{ size: string; milliseconds: number }>('matmul', names);
	const rows = ours.map((row, i) => {
		const torch = peers?.find(({ size }) => size === names[i])?.milliseconds;
		const teraflops = torch === undefined ? undefined : teraflopsOf(sizes[i]!, torch);
		return { size: names[i], ...row, torch: teraflops, ofTorch: teraflops && row.NT / teraflops };
	});
	return { unit: 'TFLOP/s', rows, preparing, fewRows };
}

function teraflopsOf([rows, columns, depth]: Size, milliseconds: number): number {
	return (2 * rows * columns * depth) / milliseconds / 1e9;
}

/** Of each direction on the card's best kernels, and of x · Wᵀ on those that all cards have. */
function productRow(device: CudaDevice, other: CudaDevice, size: Size) {
	const measure = (on: CudaDevice, direction: Direction) =>
		on.withScratch(
			() => 'a product',
			(take) => {
				const [rows, columns, depth] = size;
				const left = randomOperand(on, take, rows, depth, direction === 'TN');
				const right = randomOperand(on, take, columns, depth, direction !== 'NT');
				// a gradient of a weight is f32
				const type = direction === 'TN' ? 'f32' : 'bf16';
				const address = take(bytesOf(type, rows * columns));
				const target = { address, type, accumulate: false, scale: 1 } as const;
				const run = () => tensorProduct(on, direction, target, left, right, { rows, columns, depth });
				return teraflopsOf(size, millisecondsOf(on, run));
			},
		);
	return {
		NT: measure(device, 'NT'),
		NN: measure(device, 'NN'),
		TN: measure(device, 'TN'),
		'NT, mma.sync': measure(other, 'NT'),
	};
}

/** An operand as products take it, so that they alone are timed. */
function randomOperand(
	device: CudaDevice,
	take: TakeScratch,
	lines: number,
	depth: number,
	byDepth: boolean,
): Operand {
	const address = randomHalves(device, take, lines * depth);
	const operand = { address, stride: byDepth ? lines : depth };
	if (device.tensorType === 'bf16') return () => operand;
	const largest = randomFloats(device, take, lines);
	return () => ({ ...operand, largest });
}

/** Microseconds of a 13B matrix from NF4 to bfloat16, and of 2,048 rows of activations, with dropout and without. */
function operandTimes(device: CudaDevice) {
	const [rows, columns, tokens] = [13824, 5120, 2048];
	return device.withScratch(
		() => 'operands',
		(take) => {
			const weight = randomNf4(device, take, rows * columns);
			const activations = randomFloats(device, take, tokens * columns);
			const x = floatArguments(activations);
			const dropout = { seed: 1, stream: 2, probability: 0.05 };
			const microseconds = (run: (takeOwn: typeof take) => void) =>
				1000 * millisecondsOf(device, () => device.withScratch(() => 'an operand', run));
			return {
				nf4Microseconds: microseconds((own) =>
					tensorOperandOf(device, own, weight.args, { rows, columns })('rows'),
				),
				activationMicroseconds: microseconds((own) =>
					tensorOperandOf(device, own, x, { rows: tokens, columns })('rows'),
				),
				droppedMicroseconds: microseconds((own) =>
					tensorOperandOf(device, own, x, { rows: tokens, columns, dropout })('rows'),
				),
			};
		},
	);
}

/**
 * Microseconds of x · Wᵀ with a 13B matrix in NF4 by the number of rows: dequantised inside the product, and before it. Where the second is less
 * `mostRows` of the backend's weight-products.ts is too large, where it is more at 128 rows and beyond, too small.
 */
function fewRowTimes(device: CudaDevice) {
	const [columns, depth] = [13824, 5120];
	return device.withScratch(
		() => 'products of few rows',
		(take) => {
			const weight = randomNf4(device, take, columns * depth);
			return [1, 16, 64, 128, 256, 512].map((rows) => {
				const x = randomOperand(device, take, rows, depth, false);
				const address = take(bytesOf('bf16', rows * columns));
				const target = { address, type: 'bf16', accumulate: false, scale: 1 } as const;
				const size = { rows, columns, depth };
				const microseconds = (run: (own: TakeScratch) => void) =>
					1000 * millisecondsOf(device, () => device.withScratch(() => 'a product', run));
				return {
					rows,
					fusedMicroseconds: microseconds(() => fusedProduct(device, 'NT', target, x, weight, size)),
					dequantisedMicroseconds: microseconds((own) => {
						const w = tensorOperandOf(device, own, weight.args, { rows: columns, columns: depth });
						tensorProduct(device, 'NT', target, x, w, size);
					}),
				};
			});
		},
	);
}

/** A matrix of so many random codes, as the kernels are told of it. */
function randomNf4(device: CudaDevice, take: TakeScratch, count: number) {
	const codes = randomHalves(device, take, count / 4);
	const scales = randomFloats(device, take, count / 64);
	const codebook = randomFloats(device, take, 16);
	const args: WeightArguments = [codes, scales, 0, 0, 0, codebook, storages.indexOf('table4')];
	return { codes, scales, codebook, args };
}

/** Microseconds of an adapter of rank 8 from 5,120 to 13,824 over 2,048 rows, with dropout; by the host's clock over many calls. */
function adapterTimes() {
	const backend = createCudaBackend();
	const [tokens, inputs, outputs, rank] = [2048, 5120, 13824, 8];
	const matrix = (rows: number, columns: number) => {
		const numbers = randomNumbers();
		const values = Float32Array.from({ length: rows * columns }, (_, i) => numbers[i % numbers.length]!);
		return tensor(backend, [rows, columns], values);
	};
	const activations = (columns: number) => {
		const wide = matrix(tokens, columns);
		const narrow = emptyTensor(backend, wide.shape, 'bf16');
		backend.copy(narrow, wide);
		backend.free(wide.buffer);
		return narrow;
	};
	const [x, y, h, a, b] = [
		...[activations(inputs), activations(outputs), matrix(tokens, rank)],
		...[matrix(rank, inputs), matrix(outputs, rank)],
	] as [View, View, View, View, View];
	const gradients = {
		dx: { view: activations(inputs), accumulate: true },
		dA: { view: matrix(rank, inputs), accumulate: true },
		dB: { view: matrix(outputs, rank), accumulate: true },
	};
	const options = {
		scale: 4,
		precision: 'bf16',
		dropout: { seed: 1, stream: 2, probability: 0.05 },
	} as const;
	const microseconds = (run: () => void) => {
		const repeats = 20;
		for (let i = 0; i < 2; i++) run();
		backend.sumOfSquares(h);
		const start = performance.now();
		for (let i = 0; i < repeats; i++) run();
		backend.sumOfSquares(h);
		return (1000 * (performance.now() - start)) / repeats;
	};
	const result = {
		adapterForwardMicroseconds: microseconds(() => backend.loraForward(y, h, x, a, b, options)),
		adapterBackwardMicroseconds: microseconds(() =>
			backend.loraBackward(gradients, { x, h, a, b }, y, options),
		),
	};
	backend.close();
	return result;
}

/** Bytes read and written. */
function copySpeed(device: CudaDevice): number {
	return device.withScratch(
		() => 'a copy',
		(take) => {
			const [from, to] = [take(copyBytes), take(copyBytes)];
			const run = () => device.driver.cuMemcpyDtoDAsync_v2(to, from, copyBytes, device.stream);
			return (2 * copyBytes) / millisecondsOf(device, run, 5) / 1e6;
		},
	);
}
