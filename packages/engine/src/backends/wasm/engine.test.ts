import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { Backend, View } from '../contract.ts';
import { createDevice } from '../cpu/device.ts';
import { viewOf } from '../view.ts';
import { createWasmAddon } from './addon.ts';
import { createWasmEngine } from './engine.ts';
import { instantiate } from './instance.ts';
import { takeMemory } from './memories.ts';
import { type StartWorker, serve, type WorkerInput } from './serve.ts';
import { createWasmBackend } from './wasm.ts';
import { createWorkerStatus, readWorkerFailure, reportWorkerFailure } from './worker-status.ts';

const module = new WebAssembly.Module(readFileSync(new URL('../../../wasm/kernels.wasm', import.meta.url)));
const wasm = new URL('./wasm.ts', import.meta.url).href;
const noWorkers: StartWorker = () => {};

function uninitialised(backend: Backend, ...shape: number[]): View {
	return viewOf(
		backend.allocate(
			'f32',
			shape.reduce((product, size) => product * size, 1),
		),
		shape,
	);
}

describe('the workers of an engine', () => {
	it('end when it is closed', async () => {
		const ends: Promise<unknown>[] = [];
		const start: StartWorker = (input) => {
			const worker = new Worker(new URL('./node-worker.ts', import.meta.url), { workerData: input });
			ends.push(new Promise((resolve) => worker.on('exit', resolve)));
		};
		const addon = createWasmAddon(module, start);
		for (let round = 0; round < 2; round++) {
			const engine = addon.createEngine('relaxed-simd', 3);
			const address = addon.allocate(engine, 400_000);
			addon.kernels.fill!(engine, address, 100_000, 1);
			expect(addon.kernels.sumOfSquares!(engine, address, 100_000)).toBe(100_000);
			addon.destroyEngine(engine);
		}
		expect(await Promise.all(ends)).toEqual([0, 0, 0, 0]);
	});

	it.each(['', 'backend.close()'])('let the process end (%s)', (last) => {
		const script = `
			const { createWasmBackend } = await import('${wasm}');
			const backend = createWasmBackend({ threads: 3 });
			const view = { buffer: backend.allocate('f32', 1e6), offset: 0, dtype: 'f32', shape: [1e6] };
			backend.fill(view, 2);
			console.log(backend.sumOfSquares(view));
			${last}`;
		const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
			encoding: 'utf8',
			timeout: 50_000,
		});
		expect([status, stdout]).toEqual([0, '4000000\n']);
	});

	it('are heard when they fail', () => {
		const engine = createWasmEngine(module, 2, ({ status }) =>
			reportWorkerFailure(status, new Error('no stack left')),
		);
		expect(() => engine.allocate(4)).toThrow(
			expect.objectContaining({ code: 'WASM_KERNEL', message: expect.stringContaining('no stack left') }),
		);
	});

	it('say why a task failed', () => {
		const memory = takeMemory();
		const exports = instantiate(module, memory);
		const status = createWorkerStatus();
		const outside = 0xffff_0000;
		const stackEnd = exports.__stack_pointer.value;
		serve({ module, memory, engine: outside, thread: 1, stackEnd, status });
		expect(readWorkerFailure(status)).toMatch(/RuntimeError: memory access out of bounds/);
	});

	it('may be refused by the system', () => {
		const addon = createWasmAddon(module, () => {
			throw new Error('Resource temporarily unavailable');
		});
		expect(() => createDevice(addon, 'relaxed-simd', 2)).toThrow(
			expect.objectContaining({ code: 'CPU_THREADS_REFUSED', kind: 'resources' }),
		);
	});
});

describe('a kernel that fails', () => {
	it('breaks its engine, which says so from then on', () => {
		const engine = createWasmEngine(module, 1, noWorkers);
		const fill = engine.kernels.get('fill')!;
		const address = engine.allocate(64);
		expect(() => engine.call(fill, [0xffff_0000, 16, 1])).toThrow(/memory access out of bounds/);
		expect(() => engine.call(fill, [address, 16, 1])).toThrow(
			expect.objectContaining({ code: 'WASM_KERNEL' }),
		);
		engine.close();
	});
});

describe('the memory of an engine', () => {
	it('ends at 4 GiB with a clear error, and goes on after it', () => {
		const backend = createWasmBackend({ threads: 2 });
		const large = backend.allocate('f32', 900_000_000);
		const tooMuch = expect.objectContaining({ code: 'OUT_OF_MEMORY', kind: 'resources' });
		expect(() => backend.allocate('f32', 900_000_000)).toThrow(tooMuch);
		expect(() => backend.allocate('u8', 2 ** 32)).toThrow(tooMuch);
		backend.free(large);
		// above 2^31, where addresses that are taken for signed numbers are negative
		const [first, second] = [uninitialised(backend, 600_000_000), uninitialised(backend, 1000)];
		backend.upload(second, new Float32Array(1000).fill(3));
		backend.add(second, second, second);
		expect(backend.sumOfSquares(second)).toBe(36_000);
		backend.free(first.buffer);
		backend.close();
	});

	it('gives the stack back when a kernel finds no memory', () => {
		const backend = createWasmBackend({ threads: 1 });
		const [rows, size] = [2048, 1024];
		const views = [uninitialised(backend, rows, size), uninitialised(backend, rows, size)] as const;
		const weight = uninitialised(backend, size, size);
		const multiply = () =>
			backend.matmulNT(...views, weight, { precision: 'fp32', accumulate: false, scale: 1 });
		const rest = [2 ** 30, 2 ** 28, 2 ** 24, 2 ** 21].flatMap((bytes) => {
			const taken = [];
			try {
				for (;;) taken.push(backend.allocate('u8', bytes));
			} catch {
				return taken;
			}
		});
		for (let time = 0; time < 2000; time++) expect(multiply).toThrow(/not enough memory/);
		for (const buffer of rest) backend.free(buffer);
		multiply();
		backend.close();
	});

	it('serves another engine after it, once its workers are gone', () => {
		const inputs: WorkerInput[] = [];
		const open = () => createWasmEngine(module, 2, (input) => inputs.push(input));
		const first = open();
		first.bytes(first.allocate(1000), 1000).fill(7);
		first.close();
		const second = open();
		expect(inputs[1]!.memory).not.toBe(inputs[0]!.memory);
		serve(inputs[0]!);
		// tests before this one may have left memories too
		let third = open();
		const others = [second];
		while (inputs.at(-1)!.memory !== inputs[0]!.memory && others.length < 20) {
			others.push(third);
			third = open();
		}
		expect(inputs.at(-1)!.memory).toBe(inputs[0]!.memory);
		const [a, b] = [third.allocate(1000), third.allocate(1000)];
		expect(Math.abs(a - b)).toBeGreaterThanOrEqual(1000);
		third.call(third.kernels.get('fill')!, [a, 250, 2]);
		expect(third.call(third.kernels.get('sumOfSquares')!, [a, 250])).toBe(1000);
		for (const engine of [...others, third]) engine.close();
	});

	it('is reused where neighbours were freed', () => {
		const backend = createWasmBackend({ threads: 1 });
		const address = (length: number) =>
			(backend.allocate('u8', length) as unknown as { address: number }).address;
		const parts = Array.from({ length: 8 }, () => backend.allocate('u8', 1 << 20));
		const [start] = parts.map((part) => (part as unknown as { address: number }).address);
		address(64); // so that the parts are not beside free memory
		for (const i of [3, 1, 0, 2, 7, 5, 6, 4]) backend.free(parts[i]!);
		expect(address(8 << 20)).toBe(start);
		backend.close();
	});
});
