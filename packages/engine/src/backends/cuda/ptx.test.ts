import { readFileSync } from 'node:fs';
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
