import { createCpuBackend, createPeakMeter, createWasmBackend } from '@vulntune/engine';
import { loadWasm } from '@vulntune/engine/backends/wasm/node.ts';
import { createBench } from '../measure.ts';
import { benchRow } from '../row.ts';
import type { Section } from '../section.ts';
import { instructionSetCases } from './gemm.ts';

const rowNames = ['f32', 'nf4'].flatMap((type) =>
	['forward', 'backward'].map((direction) => `gemm-135m-${type}-${direction}-1536x576-m512-wasm`),
);
const SECONDS_PER_ROUND = 0.5;

/** Products in WebAssembly beside the native kernels for the same vectors of four floats, each on one core. */
export const wasmSection: Section = {
	rowNames,
	async run({ options, log }) {
		log('measuring WebAssembly');
		const peaks = createPeakMeter('relaxed-simd', 1, loadWasm());
		const backends = [createWasmBackend({ threads: 1 }), createCpuBackend({ isa: 'generic', threads: 1 })];
		const bench = createBench();
		bench.add('peak', () => peaks.measure('fp32', 4)!.operations);
		const [own, peer] = backends.map((backend) =>
			instructionSetCases(backend, 'wasm').map((kernel) => ({ ...kernel, ...kernel.prepare() })),
		);
		for (const kernel of [...own!, ...peer!]) {
			const name = `${own!.includes(kernel) ? 'wasm' : 'generic'} ${kernel.name}`;
			bench.add(name, () => {
				kernel.run();
				return 'operations' in kernel.work ? kernel.work.operations : 0;
			});
		}
		const rates = bench.run(SECONDS_PER_ROUND * options.rounds, options.rounds);
		for (const kernel of [...own!, ...peer!]) kernel.free();
		for (const { close } of [peaks, ...backends]) close();
		const rateOf = (name: string) => rates.get(name)! / 1e9;
		return {
			rows: rowNames.map((name) =>
				benchRow({
					name,
					value: rateOf(`wasm ${name}`),
					unit: 'GFLOP/s',
					limit: rateOf('peak'),
					peer: { name: 'native generic', value: rateOf(`generic ${name}`) },
					note: 'one thread',
				}),
			),
		};
	},
};
