/**
 * Compiles the CUDA kernels to PTX: `npm run cuda`, or with `--check` compares with what is in the repository. Needs koffi and NVRTC
 * (wheels.mjs), no toolkit and no card.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { measureResources } from './resources.mjs';
import { readSignatures } from './signatures.mjs';
import { hashOfSources } from './sources-hash.mjs';

const outputFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'cuda');
/**
 * A card runs the highest of 70 and 80 that its own capability reaches, and one of 9.0 what is for it alone beside that; the driver
 * compiles them when they are first loaded.
 */
const modules = [
	{ architecture: 'compute_70', entry: 'module.cuh' },
	{ architecture: 'compute_80', entry: 'module.cuh' },
	{ architecture: 'compute_90a', entry: 'hopper.cuh' },
];

/** What belongs into the package, by the name of the file. */
async function buildAll() {
	const { compile, loadCompiler } = await import('./compile.mjs');
	const compiler = loadCompiler();
	const built = modules.map(({ architecture, entry }) => [
		`${architecture}.ptx`,
		compile(compiler, architecture, entry),
	]);
	const [, signatures, hopper] = built.map(([, ptx]) => readSignatures(ptx));
	const json = { sources: hashOfSources(), signatures, hopper };
	const resources = measureResources(new Map(built));
	return new Map([...built, ['kernels.json', written(json)], ['resources.json', written(resources)]]);
}

function written(value) {
	return `${JSON.stringify(value, undefined, '\t')}\n`;
}

async function check() {
	let built;
	try {
		built = await buildAll();
	} catch (error) {
		// koffi is an optional package
		if (!/could not be fetched|koffi/i.test(error.message)) throw error;
		console.warn(`not checked: packages/engine/cuda, because ${error.message}`);
		return;
	}
	const differing = [...built].filter(
		([name, text]) => readFileSync(path.join(outputFolder, name), 'utf8') !== text,
	);
	for (const [name] of differing)
		console.error(`packages/engine/cuda/${name} is not what its sources make; run npm run cuda`);
	process.exitCode = differing.length === 0 ? 0 : 1;
}

if (process.argv.includes('--check')) await check();
else {
	const built = await buildAll();
	mkdirSync(outputFolder, { recursive: true });
	for (const [name, text] of built) writeFileSync(path.join(outputFolder, name), text);
	console.log(`written to packages/engine/cuda: ${[...built.keys()].join(', ')}`);
}
