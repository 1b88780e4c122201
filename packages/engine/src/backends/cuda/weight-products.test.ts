/** Products of few rows, which dequantise 4-bit weights as they go: the bytes of products whose weights were dequantised before. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { randomWeight } from '../agreement/weights.ts';
import { type Backend, type DataType, HOST_ARRAYS, type HostArray, type View } from '../contract.ts';
import { drawFrom, emptyTensor, tensor } from '../testing/tensors.ts';
import { rowsOf, viewOf } from '../view.ts';
import { createDevice } from './create-device.ts';
import { cudaBackendOn } from './cuda.ts';
import type { CudaDevice } from './device.ts';
import { prepareStandIn, withStandIn } from './testing/stand-in.ts';

const { missing } = await prepareStandIn();

/** More than are fused, and parts that are. */
const rows = 70;
const parts = [
	[0, 1],
	[3, 20],
	[6, 70],
] as const;

interface FusedCase {
	readonly kind: 'table4' | 'table4double' | 'table8';
	readonly type: 'f32' | 'bf16';
	readonly outputs: number;
	readonly inputs: number;
	/** Bytes that the codes lie behind a multiple of 256. */
	readonly offset: number;
}

const fused: readonly FusedCase[] = [
	{ kind: 'table4', type: 'bf16', outputs: 70, inputs: 136, offset: 0 },
	{ kind: 'table4double', type: 'bf16', outputs: 33, inputs: 200, offset: 0 },
	{ kind: 'table4', type: 'f32', outputs: 65, inputs: 64, offset: 3 },
	{ kind: 'table4double', type: 'f32', outputs: 8, inputs: 72, offset: 1 },
	{ kind: 'table4', type: 'bf16', outputs: 1, inputs: 8, offset: 0 },
];
const separate: readonly FusedCase[] = [
	// rows of codes that begin within a group of eight
	{ kind: 'table4', type: 'bf16', outputs: 40, inputs: 100, offset: 0 },
	{ kind: 'table8', type: 'bf16', outputs: 40, inputs: 64, offset: 0 },
];

/** The name of each product that a device starts, without the type of its result. */
function watchProducts(device: CudaDevice): string[] {
	const names: string[] = [];
	const launch = device.launch;
	vi.spyOn(device, 'launch').mockImplementation((...args) => {
		if (/product/i.test(args[0])) names.push(args[0].replace(/Bf16$/, ''));
		launch(...args);
	});
	return names;
}

describe.skipIf(missing !== undefined)('a product of few rows with a 4-bit base', () => {
	let device: CudaDevice;
	let backend: Backend;
	let started: string[];
	const open = (capability: number) => {
		device = withStandIn({ capability }, () => createDevice(0));
		backend = cudaBackendOn(device);
		started = watchProducts(device);
	};
	beforeEach(() => open(80));
	afterEach(() => backend.close());

	function weightOf({ kind, outputs, inputs, offset }: FusedCase) {
		const input = (shape: readonly number[], values: HostArray, dtype = typeOf(values)) => {
			const before = dtype === 'u8' ? offset : 0;
			const view = viewOf(backend.allocate(dtype, values.length + before), shape, before);
			backend.upload(view, values);
			return view;
		};
		return randomWeight({ backend, draw: drawFrom(outputs), input }, kind, outputs, inputs);
	}

	/** [rows, width] normal numbers. */
	function activations(seed: number, width: number, type: FusedCase['type']): View {
		const wide = tensor(backend, [rows, width], drawFrom(seed).normal(rows * width));
		const view = emptyTensor(backend, wide.shape, type);
		backend.copy(view, wide);
		return view;
	}

	/** Both products of all rows and of each part, added to what is there: the kernels that were started, and which parts have other bytes. */
	function compare(one: FusedCase) {
		const weight = weightOf(one);
		const { type, outputs, inputs } = one;
		return (['matmulNT', 'matmulNN'] as const).map((name) => {
			const [width, depth] = name === 'matmulNT' ? [outputs, inputs] : [inputs, outputs];
			const [left, before] = [activations(1, depth, type), activations(2, width, type)];
			const product = (from: number, to: number) => {
				const start = rowsOf(before, from, to);
				const result = emptyTensor(backend, start.shape, type);
				backend.copy(result, start);
				backend[name](result, rowsOf(left, from, to), weight, {
					precision: 'bf16',
					accumulate: true,
					scale: -0.7,
				});
				return Buffer.from(backend.download(result).buffer);
			};
			const whole = product(0, rows);
			const rowBytes = whole.length / rows;
			const differing = parts.filter(
				([from, to]) => !product(from, to).equals(whole.subarray(from * rowBytes, to * rowBytes)),
			);
			return { started: started.splice(0), differing };
		});
	}

	it.each(fused)('has the bytes of one of many rows: %o', (one) => {
		const [forward, backward] = compare(one);
		const kernels = (direction: string) => [
			expect.stringMatching(`^product${direction}(Large|Small)$`),
			...parts.map(() => `fusedProduct${direction}`),
		];
		expect(forward).toEqual({ started: kernels('NT'), differing: [] });
		expect(backward).toEqual({ started: kernels('NN'), differing: [] });
	});

	it.each(separate)('is not fused with other weights: %o', (one) => {
		for (const { started, differing } of compare(one)) {
			expect(differing).toEqual([]);
			for (const name of started) expect(name).toMatch(/^product/);
		}
	});

	it('is not fused where tensor cores take float16', () => {
		backend.close();
		open(75);
		for (const { started, differing } of compare(fused[0]!)) {
			expect(differing).toEqual([]);
			for (const name of started) expect(name).toMatch(/^float16Product/);
		}
	});
});

function typeOf(values: HostArray): DataType {
	return (['f32', 'i32', 'u8', 'i8'] as const).find((type) => values instanceof HOST_ARRAYS[type])!;
}
