/**
 * Compiles the variants of products to PTX in `build/cuda-variants`, for `npm run check:cuda -- --only variants`. They are no part of the package.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const engine = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/** The modules, and which file makes each. */
const modules = [
	{ architecture: 'compute_80', entry: 'variants/products.cuh' },
	{ architecture: 'compute_90a', entry: 'variants/widths.cuh' },
];

/** Throws where there is no compiler. */
export async function buildVariants() {
	const { compile, loadCompiler } = await import('../compile.mjs');
	const compiler = loadCompiler();
	const folder = path.join(engine, 'build', 'cuda-variants');
	mkdirSync(folder, { recursive: true });
	for (const { architecture, entry } of modules) {
		writeFileSync(path.join(folder, `${architecture}.ptx`), compile(compiler, architecture, entry));
	}
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildVariants();
