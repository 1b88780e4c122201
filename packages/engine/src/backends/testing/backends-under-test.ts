import type { Backend } from '../contract.ts';
import { createCpuBackend } from '../cpu/cpu.ts';
import { cpuFeatures } from '../cpu/features.ts';
import { createWasmBackend } from '../wasm/wasm.ts';

export interface BackendUnderTest {
	readonly name: string;
	readonly create: (threads: number) => Backend;
}

/**
 * Every fast backend of this machine, the CPU's once per instruction set; says what it leaves out and why.
 */
export function backendsUnderTest(): readonly BackendUnderTest[] {
	const { failure, instructionSets } = cpuFeatures();
	if (failure !== undefined) console.warn(`skipped: the cpu backend, because ${failure.reason}`);
	for (const { name, supported } of instructionSets) {
		if (!supported) console.warn(`skipped: cpu ${name}, because this machine doesn't offer it`);
	}
	const cpu = instructionSets
		.filter(({ supported }) => supported)
		.map(({ name }) => ({
			name: `cpu ${name}`,
			create: (threads: number) => createCpuBackend({ isa: name, threads }),
		}));
	return [...cpu, { name: 'wasm', create: (threads) => createWasmBackend({ threads }) }];
}
