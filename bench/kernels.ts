/**
 * Matrix products against the machine's own peak: `node bench/kernels.ts [--backend wasm] [--isa avx512] [--threads 2]
 * [--tokens 128,512] [--seconds 0.3]`.
 *
 * Peak and products are measured by turns in one run and reported as medians, so that the ratio means something on a
 * machine whose clock changes. Shapes are the linear layers of SmolLM2-135M.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { createDevice } from '../packages/engine/src/backends/cpu/device.ts';
import { bestSet } from '../packages/engine/src/backends/cpu/features.ts';
import { kernelsOf, loadNative, type NativeKernel } from '../packages/engine/src/backends/cpu/native.ts';
import { loadWasm } from '../packages/engine/src/backends/wasm/node.ts';
import { createBench } from './measure.ts';

const { values } = parseArgs({
	options: {
		backend: { type: 'string', default: 'cpu' },
		isa: { type: 'string', default: 'auto' },
		threads: { type: 'string' },
		tokens: { type: 'string', default: '128,512,1024' },
		seconds: { type: 'string', default: '0.5' },
		rank: { type: 'string', default: '8' },
	},
});

const load = values.backend === 'wasm' ? loadWasm() : loadNative();
if (load.addon === undefined) throw new Error(load.reason);
const isa = values.isa === 'auto' ? bestSet(load.addon) : values.isa;
const threads = values.threads === undefined ? availableParallelism() : Number(values.threads);
const device = createDevice(load.addon, isa, threads);
const { addon, engine } = device;
const kernels = kernelsOf<Record<string, NativeKernel>>(addon);

const layers = [
	{ inputs: 576, outputs: 576 },
	{ inputs: 576, outputs: 192 },
	{ inputs: 576, outputs: 1536 },
	{ inputs: 1536, outputs: 576 },
];

function floats(length: number, value: (i: number) => number): number {
	const address = addon.allocate(engine, 4 * length);
	const values = Float32Array.from({ length }, (_, i) => value(i));
	addon.upload(engine, address, new Uint8Array(values.buffer));
	return address;
}

const tokenCounts = values.tokens.split(',').map(Number);
const rank = Number(values.rank);
const random = (i: number) => ((i * 2654435761) % 1000) / 1000 - 0.5;
const largest = Math.max(576, ...tokenCounts) * 1536;
const left = floats(largest, random);
const result = floats(largest, () => 0);
const second = floats(largest, random);
const matrix = floats(1536 * 576, random);
const halves = addon.allocate(engine, 2 * 1536 * 576);
addon.upload(
	engine,
	halves,
	new Uint8Array(
		Uint16Array.from(
			{ length: 1536 * 576 },
			(_, i) => new Uint32Array(Float32Array.of(random(i)).buffer)[0]! >>> 16,
		).buffer,
	),
);
const scales = floats((1536 * 576) / 64, () => 0.1);
const codebook = floats(16, (i) => i / 8 - 1);
const factors = floats(2 * 384 * 1536, random);
const gradients = floats(2 * 384 * 1536, () => 0);

/** `storage` as in `enum class Storage` of kernels.h. */
const weights = {
	f32: { storage: 0, data: matrix },
	bf16: { storage: 1, data: halves },
	nf4: { storage: 3, data: matrix },
};

console.log(`${isa}, ${threads} threads; GFLOP/s as median, and its ratio to the peak of the same run`);
for (const precision of ['fp32', 'bf16'] as const) {
	const bf16 = precision === 'bf16';
	if (bf16 && !isa.startsWith('avx512bf16')) break;
	for (const tokens of tokenCounts) {
		for (const { inputs, outputs } of layers) {
			const bench = createBench();
			const flops = 2 * tokens * inputs * outputs;
			bench.add('peak', () => kernels.peak!(engine, bf16, 16, Math.ceil(flops / 8192)));
			for (const [name, { storage, data }] of Object.entries(weights)) {
				if (bf16 && name === 'f32') continue;
				for (const [direction, kernel] of [
					['y = x·Wᵀ', kernels.matmulNT!],
					['dx = dy·W', kernels.matmulNN!],
				] as const) {
					bench.add(`${name} ${direction}`, () => {
						kernel(
							...[engine, tokens, outputs, inputs, left, storage, data, scales, codebook, result],
							...[bf16, 1, false],
						);
						return flops;
					});
				}
			}
			bench.add('dW = dyᵀ·x', () => {
				kernels.matmulTN!(engine, tokens, outputs, inputs, left, second, result, bf16, 1, false);
				return flops;
			});
			// The adapter's products are counted as if they took no arithmetic: the ratio is time lost to the base.
			bench.add('lora forward', () => {
				const b = factors + 4 * rank * inputs;
				kernels.loraForward!(
					...[engine, tokens, outputs, inputs, rank, result, gradients, left, factors, b, 1],
					...[bf16, 1, 1, 0],
				);
				return flops;
			});
			bench.add('lora backward', () => {
				const b = factors + 4 * rank * inputs;
				const dB = gradients + 4 * rank * inputs;
				kernels.loraBackward!(
					...[engine, tokens, outputs, inputs, rank, result, true, gradients, true, dB, true],
					...[left, factors, factors, b, second, 1, bf16, 1, 1, 0],
				);
				return flops;
			});
			const measured = bench.run(Number(values.seconds));
			const peak = measured.get('peak')!;
			const cells = [...measured]
				.filter(([name]) => name !== 'peak')
				.map(([name, rate]) => `${name} ${(rate / 1e9).toFixed(0)} (${(rate / peak).toFixed(2)})`);
			console.log(
				`${precision} M ${tokens} K ${inputs} N ${outputs}, peak ${(peak / 1e9).toFixed(0)} | ${cells.join(' | ')}`,
			);
		}
	}
}
device.close();
