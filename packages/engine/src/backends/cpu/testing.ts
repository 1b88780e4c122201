import { describe } from 'vitest';
import type { Backend, DataType, View, Weight } from '../contract.ts';
import { elements, viewOf } from '../view.ts';
import { createWasmBackend } from '../wasm/wasm.ts';
import { createCpuBackend } from './cpu.ts';
import { cpuFeatures } from './features.ts';

const { failure, instructionSets } = cpuFeatures();
if (failure !== undefined) console.warn(`skipped: the cpu backend, because ${failure.reason}`);

/** Instruction sets that this machine can test, the emulated ones too. */
export const testableSets: readonly string[] = instructionSets
	.filter((set) => set.supported)
	.map((set) => set.name);

/** A suite for each of them: `%s` is the name. Skipped, with a printed reason, where there are no native kernels. */
export const describeSets = describe
	.skipIf(testableSets.length === 0)
	.each(testableSets.length === 0 ? ['no instruction set'] : testableSets);

/** The backends over the kernels of native/: what manages their memory and threads differs. */
export const kernelBackends: readonly {
	readonly name: string;
	create(options: { readonly threads: number }): Backend;
}[] = [
	...(testableSets.length === 0 ? [] : [{ name: 'cpu', create: createCpuBackend }]),
	{ name: 'wasm', create: createWasmBackend },
];

/** Whether `precision: 'bf16'` rounds the operands of large products on this instruction set. */
export function roundsToBf16(isa: string): boolean {
	return /^(avx512bf16|amx)/.test(isa);
}

/** The same of attention: the matrix unit alone takes it. */
export function multipliesAttentionInBf16(isa: string): boolean {
	return isa.startsWith('amx');
}

/** The same of products with few columns, those of an adapter by itself: the matrix unit doesn't take them. */
export function roundsAdaptersToBf16(isa: string): boolean {
	return isa.startsWith('avx512bf16');
}

/** Repeatable numbers that look normal: a sum of uniforms from a linear congruential generator. */
export function randomValues(length: number, seed: number): Float32Array {
	let state = seed >>> 0;
	const uniform = () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32;
	};
	return Float32Array.from({ length }, () => uniform() + uniform() + uniform() - 1.5);
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

export function toBf16Bits(value: number): number {
	float[0] = value;
	return ((bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) >>> 16) & 0xffff;
}

export function fromBf16Bits(half: number): number {
	bits[0] = half << 16;
	return float[0]!;
}

export const toBf16 = (value: number): number => fromBf16Bits(toBf16Bits(value));

/** Equal to the last bit; quicker on large arrays than an assertion's comparison of elements. */
export function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
	const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength);
	return bytes(a).equals(bytes(b));
}

/** A new buffer with these contents. */
export function tensor(
	backend: Backend,
	shape: readonly number[],
	values: ArrayBufferView,
	dtype: DataType = 'f32',
): View {
	const view = viewOf(backend.allocate(dtype, elements(shape)), shape);
	backend.upload(view, values);
	return view;
}

export const storages = ['f32', 'bf16', 'f16', 'table4', 'table8', 'int8'] as const;
export type StorageName = (typeof storages)[number];

/** A random weight [N, K] in a storage, and the values that its codes stand for. */
export function randomWeight(
	backend: Backend,
	storage: StorageName,
	rows: number,
	columns: number,
	seed: number,
): { weight: Weight; values: Float32Array } {
	const count = rows * columns;
	const shape = [rows, columns];
	const values = randomValues(count, seed);
	if (storage === 'f32') return { weight: tensor(backend, shape, values), values };
	if (storage === 'bf16') {
		const halves = Uint16Array.from(values, toBf16Bits);
		return {
			weight: tensor(backend, shape, halves, 'bf16'),
			values: Float32Array.from(halves, fromBf16Bits),
		};
	}
	if (storage === 'f16') {
		const halves = new Float16Array(values);
		return {
			weight: tensor(backend, shape, new Uint16Array(halves.buffer), 'f16'),
			values: Float32Array.from(halves),
		};
	}
	if (storage === 'int8') {
		const codes = Int8Array.from(values, (value) => Math.round(value * 80));
		const scales = randomValues(rows, seed + 1);
		return {
			weight: {
				layout: storage,
				shape,
				codes: tensor(backend, shape, codes, 'i8'),
				scales: tensor(backend, [rows], scales),
				codebook: undefined,
			},
			values: Float32Array.from(codes, (code, i) => code * scales[Math.floor(i / columns)]!),
		};
	}
	const levels = storage === 'table4' ? 16 : 256;
	const codebook = randomValues(levels, seed + 1);
	const scales = randomValues(Math.ceil(count / 64), seed + 2);
	const codes = Uint8Array.from(values, (value) => Math.floor(((value + 1.5) / 3) * levels));
	const packed =
		storage === 'table8'
			? codes
			: Uint8Array.from(
					{ length: Math.ceil(count / 2) },
					(_, i) => (codes[2 * i]! << 4) | (codes[2 * i + 1] ?? 0),
				);
	return {
		weight: {
			layout: storage,
			shape,
			codes: tensor(backend, [packed.length], packed, 'u8'),
			scales: tensor(backend, [scales.length], scales),
			codebook: tensor(backend, [levels], codebook),
		},
		values: Float32Array.from(codes, (code, i) => codebook[code]! * scales[Math.floor(i / 64)]!),
	};
}
