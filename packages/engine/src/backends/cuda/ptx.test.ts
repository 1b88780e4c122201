import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { expect, it } from 'vitest';

const engine = new URL('../../../', import.meta.url);
const kernels = JSON.parse(readFileSync(new URL('cuda/kernels.json', engine), 'utf8')) as {
	sources: string;
	signatures: Record<string, string>;
	absent: Record<string, readonly string[]>;
	hopper: Record<string, string>;
};

/** The kernels of a module, or those that a card is given from its modules. */
function namesOf(...modules: readonly string[]): string[] {
	const names = modules.flatMap((module) => {
		if (module === 'compute_90a') return Object.keys(kernels.hopper);
		return Object.keys(kernels.signatures).filter((name) => !kernels.absent[module]!.includes(name));
	});
	return names.sort();
}

const ofBfloat16 = /^(product|fusedProduct|adapterProduct|matrixToBfloat16|padHeads|flash)/;
const ofFloat16 = /^(float16|matrixToFloat16|headsToFloat16|rowMaxima|columnMaxima)/;

it('was compiled from the sources of today', async () => {
	const { hashOfSources } = (await import(new URL('native/cuda/sources-hash.mjs', engine).href)) as {
		hashOfSources(): string;
	};
	expect(kernels.sources, 'run npm run cuda').toBe(hashOfSources());
});

it.each(['70', '75', '80', '90a'])('of capability %s has every kernel of its own', (capability) => {
	const ptx = readFileSync(new URL(`cuda/compute_${capability}.ptx`, engine), 'utf8');
	// what drivers of CUDA 12.0 load
	expect(ptx).toContain('.version 8.0');
	expect(ptx).toContain(`.target sm_${capability}`);
	const entries = [...ptx.matchAll(/\.visible \.entry (\w+)/g)].map(([, name]) => name!);
	expect(entries.sort()).toEqual(namesOf(`compute_${capability}`));
});

it('lacks only what a card has no tensor cores for', () => {
	const names = Object.keys(kernels.signatures);
	const [bfloat16, float16] = [ofBfloat16, ofFloat16].map((pattern) =>
		names.filter((name) => pattern.test(name)),
	);
	expect([bfloat16!.length, float16!.length]).toEqual([30, 26]);
	expect(kernels.absent).toEqual({
		compute_70: [...bfloat16!, ...float16!].sort(),
		compute_75: bfloat16,
		compute_80: float16,
	});
});

it.each([
	['75', /^float16Product/, 10, 'mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32'],
	['80', /^(product|fusedProduct|adapterProduct)/, 16, 'mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32'],
] as const)('of capability %s multiplies on tensor cores', (capability, products, count, instruction) => {
	const ptx = readFileSync(new URL(`cuda/compute_${capability}.ptx`, engine), 'utf8');
	const bodies = ptx.split('.visible .entry ').slice(1);
	const ofProducts = bodies.filter((body) => products.test(body));
	expect(ofProducts).toHaveLength(count);
	for (const body of ofProducts) expect(body).toContain(instruction);
	// cards of 7.5 copy no memory beside computation
	if (capability === '75') expect(ptx).not.toContain('cp.async');
});

it('has been assembled for common cards', () => {
	const folder = new URL('cuda/', engine);
	const read = (file: string) => readFileSync(new URL(file, folder));
	const sources = JSON.parse(read('cubins.json').toString()) as Record<string, string>;
	const names = ['75.sm_75', '80.sm_80', '80.sm_86', '80.sm_89', '80.sm_90a', '90a.sm_90a'].map(
		(name) => `compute_${name}`,
	);
	expect(Object.keys(sources)).toEqual(names);
	const files = readdirSync(folder).filter((file) => file.includes('cubin.br'));
	expect(files.sort()).toEqual(names.map((name) => `${name}.cubin.br`));
	for (const name of names) {
		const [module, card] = name.split('.') as [string, string];
		const ptx = createHash('sha256')
			.update(read(`${module}.ptx`))
			.digest('hex');
		expect(sources[name], 'run npm run cuda').toBe(ptx);
		const cubin = brotliDecompressSync(read(`${name}.cubin.br`));
		// the lowest byte of an ELF file's flags is the capability
		expect(`sm_${cubin[48]}`).toBe(card.replace('a', ''));
	}
});

interface Resources {
	readonly registers: number;
	readonly spilled: number;
	readonly shared: number;
}

it('fits every card without spilling what counts', () => {
	const resources = JSON.parse(readFileSync(new URL('cuda/resources.json', engine), 'utf8')) as Record<
		string,
		Record<string, Resources>
	>;
	expect(Object.keys(resources)).toEqual(['sm_70', 'sm_75', 'sm_80', 'sm_86', 'sm_89', 'sm_90a']);
	const modulesOf: Readonly<Record<string, readonly string[]>> = {
		sm_70: ['compute_70'],
		sm_75: ['compute_75'],
		sm_90a: ['compute_80', 'compute_90a'],
	};
	for (const [card, ofCard] of Object.entries(resources)) {
		expect(Object.keys(ofCard).sort()).toEqual(namesOf(...(modulesOf[card] ?? ['compute_80'])));
		for (const [name, { registers, spilled, shared }] of Object.entries(ofCard)) {
			// a few words at the edge of a loop cost nothing; sums of large heads fill all registers
			const isFull = /^(flash|float16).*(Keys128|256)$/.test(name);
			expect(spilled, `${name} on ${card}`).toBeLessThanOrEqual(isFull ? 128 : 64);
			expect(registers, `${name} on ${card}`).toBeLessThanOrEqual(255);
			expect(shared, `${name} on ${card}`).toBeLessThanOrEqual(48 * 1024);
			// two blocks of 128 threads on a multiprocessor of 65,536 registers, at most two of a thread's in memory
			if (/^(product|float16Product|fusedProduct|adapterProduct)/.test(name)) {
				expect(spilled, `${name} on ${card}`).toBeLessThanOrEqual(8);
			}
		}
	}
});
