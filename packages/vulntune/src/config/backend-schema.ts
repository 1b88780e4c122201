import { z } from 'zod';
import { facts, section, wholeNumber } from './schema-parts.ts';

const backendTypes = ['auto', 'cuda', 'cpu', 'wasm', 'reference'] as const;

/** Where a command computes; the same for every kind of config. */
export const backend = section({
	type: z
		.enum(backendTypes)
		.default('auto')
		.describe(
			'where the kernels run; auto takes the fastest there is, for vulntune train an NVIDIA card (cuda) that the run fits on',
		)
		.meta(facts({ meant: { gpu: 'cuda', nvidia: 'cuda', native: 'cpu', webassembly: 'wasm' } })),
	device: wholeNumber(0)
		.default(0)
		.describe('which card, counted from 0')
		.meta(facts({ needs: { 'backend.type': ['auto', 'cuda'] } })),
	kernels: z
		.enum(['auto', 'mma'])
		.default('auto')
		.describe('which kernels of a card; mma leaves out products that only Hopper has (wgmma)')
		.meta(facts({ needs: { 'backend.type': ['auto', 'cuda'] } })),
	isa: z
		.enum(['auto', 'amx', 'avx512bf16', 'avx512vnni', 'avx512', 'avxvnni', 'avx2', 'dotprod', 'generic'])
		.default('auto')
		.describe('instruction set of the cpu backend')
		.meta(facts({ needs: { 'backend.type': ['auto', 'cpu'] } })),
	threads: z
		.union([z.literal('auto'), wholeNumber(1)])
		.default('auto')
		.describe('threads of the kernels; auto is one per core')
		.meta(facts({ needs: { 'backend.type': ['auto', 'cpu', 'wasm'] } })),
});
