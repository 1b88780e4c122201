import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { expect, it } from 'vitest';

const engine = new URL('../../../', import.meta.url);
const kernels = JSON.parse(readFileSync(new URL('cuda/kernels.json', engine), 'utf8')) as {
	sources: string;
	signatures: Record<string, string>;
	hopper: Record<string, string>;
};

it('was compiled from the sources of today', async () => {
	const { hashOfSources } = (await import(new URL('native/cuda/sources-hash.mjs', engine).href)) as {
		hashOfSources(): string;
	};
	expect(kernels.sources, 'run npm run cuda').toBe(hashOfSources());
});

it.each([
	['70', kernels.signatures],
	['80', kernels.signatures],
	['90a', kernels.hopper],
])('of capability %s has every kernel and loads on drivers of CUDA 12.0', (capability, signatures) => {
	const ptx = readFileSync(new URL(`cuda/compute_${capability}.ptx`, engine), 'utf8');
	expect(ptx).toContain('.version 8.0');
	expect(ptx).toContain(`.target sm_${capability}`);
	const entries = [...ptx.matchAll(/\.visible \.entry (\w+)/g)].map(([, name]) => name!);
	expect(entries.sort()).toEqual(Object.keys(signatures).sort());
});

it('has been assembled for common cards', () => {
	const folder = new URL('cuda/', engine);
	const read = (file: string) => readFileSync(new URL(file, folder));
	const sources = JSON.parse(read('cubins.json').toString()) as Record<string, string>;
	const names = ['70.sm_75', '80.sm_80', '80.sm_86', '80.sm_89', '80.sm_90a', '90a.sm_90a'].map(
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
	const all = Object.keys(kernels.signatures);
	for (const [card, ofCard] of Object.entries(resources)) {
		const expected = card === 'sm_90a' ? [...all, ...Object.keys(kernels.hopper)] : all;
		expect(Object.keys(ofCard).sort()).toEqual(expected.sort());
		for (const [name, { registers, spilled, shared }] of Object.entries(ofCard)) {
			// a few words at the edge of a loop cost nothing; dk and dv of heads of 128 fill all registers
			expect(spilled, `${name} on ${card}`).toBeLessThanOrEqual(name === 'flashBackwardKeys128' ? 128 : 64);
			expect(registers, `${name} on ${card}`).toBeLessThanOrEqual(255);
			expect(shared, `${name} on ${card}`).toBeLessThanOrEqual(48 * 1024);
		}
	}
});
