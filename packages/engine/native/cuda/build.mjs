/**
 * Compiles the CUDA kernels to PTX and that to machine code of common cards: `npm run cuda`, or with `--check` compares with what is in
 * the repository. Needs koffi, NVRTC and ptxas (wheels.mjs), no toolkit and no card.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { assembleAll } from './assemble.mjs';
import { readSignatures } from './signatures.mjs';
import { hashOfSources } from './sources-hash.mjs';

const outputFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'cuda');
/**
 * A card runs the highest of 70, 75 and 80 that its own capability reaches, and one of 9.0 what is for it alone beside that; where there is
 * no machine code for it, the driver compiles them when they are first loaded.
 */
const modules = [
	{ architecture: 'compute_70', entry: 'module.cuh' },
	{ architecture: 'compute_75', entry: 'module.cuh' },
	{ architecture: 'compute_80', entry: 'module.cuh' },
	{ architecture: 'compute_90a', entry: 'hopper.cuh' },
];

/** What belongs into the package, by the name of the file; what ends in `.br` lies there compressed. */
async function buildAll() {
	const { compile, loadCompiler } = await import('./compile.mjs');
	const compiler = loadCompiler();
	const built = modules.map(({ architecture, entry }) => [
		`${architecture}.ptx`,
		compile(compiler, architecture, entry),
	]);
	const json = { sources: hashOfSources(), ...kernelsOf(built.map(([, ptx]) => readSignatures(ptx))) };
	const { resources, cubins } = assembleAll(new Map(built));
	return new Map([
		...built,
		['kernels.json', written(json)],
		['resources.json', written(resources)],
		...cubinFiles(new Map(built), cubins),
	]);
}

/**
 * What the kernels of all modules take but Hopper's own, and which of them a module lacks, having no use for them; beside these Hopper's.
 */
function kernelsOf(signaturesByModule) {
	const [common, hopper] = [signaturesByModule.slice(0, -1), signaturesByModule.at(-1)];
	const all = Object.entries(Object.assign({}, ...common)).sort(([a], [b]) => (a < b ? -1 : 1));
	const names = all.map(([name]) => name);
	const absent = common.map((own, i) => [modules[i].architecture, names.filter((name) => !(name in own))]);
	return { signatures: Object.fromEntries(all), absent: Object.fromEntries(absent), hopper };
}

/** The machine code, and of which PTX it is, so that a test without the assembler sees what was not assembled anew. */
function cubinFiles(ptxByFile, cubins) {
	const sourceOf = (name) => ptxByFile.get(`${name.slice(0, name.indexOf('.'))}.ptx`);
	const hashes = [...cubins.keys()].map((name) => [
		name,
		createHash('sha256').update(sourceOf(name)).digest('hex'),
	]);
	return [
		['cubins.json', written(Object.fromEntries(hashes))],
		...[...cubins].map(([name, cubin]) => [`${name}.cubin.br`, cubin]),
	];
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
	const differing = [...built].filter(([name, content]) => !kept(name).equals(Buffer.from(content)));
	for (const [name] of differing)
		console.error(`packages/engine/cuda/${name} is not what its sources make; run npm run cuda`);
	process.exitCode = differing.length === 0 ? 0 : 1;
}

/** What the repository holds of a file. */
function kept(name) {
	const bytes = readFileSync(path.join(outputFolder, name));
	return name.endsWith('.br') ? brotliDecompressSync(bytes) : bytes;
}

function write(name, content) {
	const bytes = name.endsWith('.br') ? brotliCompressSync(content) : content;
	writeFileSync(path.join(outputFolder, name), bytes);
}

if (process.argv.includes('--check')) await check();
else {
	const built = await buildAll();
	mkdirSync(outputFolder, { recursive: true });
	for (const [name, content] of built) write(name, content);
	console.log(`written to packages/engine/cuda: ${[...built.keys()].join(', ')}`);
}
