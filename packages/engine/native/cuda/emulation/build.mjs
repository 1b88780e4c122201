/**
 * Builds the stand-ins for libcuda (the kernels compiled for the host, behind the driver API) and for libnccl, which only tests use, and a
 * libcuda that does nothing, by which the bench measures the host.
 * Built once for their sources and compiler, into `build/`.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withIncludes } from '../../sources.mjs';

const folder = path.dirname(fileURLToPath(import.meta.url));
const buildFolder = path.join(folder, '..', '..', '..', 'build', 'cuda-emulation');
const variants = path.join(folder, '..', 'variants', 'products.cuh');
const signatures = path.join(folder, '..', '..', '..', 'cuda', 'kernels.json');
// as for a card, a product and a sum may become one operation
const flags = [
	'-std=c++20',
	'-O2',
	'-fPIC',
	'-shared',
	'-fvisibility=hidden',
	'-Wall',
	'-Wno-unused',
	'-Wno-unknown-pragmas',
	'-DVULNTUNE_EMULATION',
];

/** The path of the stand-in for libcuda; builds it unless it is there. Throws with the compiler's words. With the kernels of `variants/` so named. */
export function buildStandIn(variantNames = []) {
	const units = ['driver.cc', 'kernels.cc', 'memory.cc', 'streams.cc', 'fibers.cc'];
	return variantNames.length === 0
		? buildLibrary('libcuda', units)
		: buildLibrary('libcuda-variants', units, variantNames);
}

/** The same of the one for libnccl. */
export function buildNcclStandIn() {
	return buildLibrary('libnccl', ['nccl.cc']);
}

/** The same of a libcuda that does nothing. */
export function buildIdleDriver() {
	return buildLibrary('libcuda-idle', ['idle.cc']);
}

function buildLibrary(libraryName, unitNames, variantNames = []) {
	const compiler = process.env.CXX || 'g++';
	const units = unitNames.map((name) => path.join(folder, name));
	const sources = new Set();
	for (const unit of [...units, ...(variantNames.length === 0 ? [] : [variants])])
		withIncludes(unit, sources);
	const hash = createHash('sha256')
		.update(execFileSync(compiler, ['--version']))
		.update([...flags, ...variantNames].join(' '));
	for (const file of [...sources, signatures]) hash.update(readFileSync(file));
	const library = path.join(buildFolder, `${libraryName}-${hash.digest('hex').slice(0, 16)}.so`);
	if (existsSync(library)) return library;
	const names = [...Object.keys(JSON.parse(readFileSync(signatures, 'utf8')).signatures), ...variantNames];
	const scratch = path.join(buildFolder, `${libraryName}-${process.pid}`);
	mkdirSync(scratch, { recursive: true });
	writeFileSync(path.join(scratch, 'kernels.inc'), names.map((name) => `ENTRY(${name})\n`).join(''));
	writeFileSync(
		path.join(scratch, 'variants.inc'),
		variantNames.length === 0 ? '' : `#include "${variants}"\n`,
	);
	const output = path.join(scratch, 'library.so');
	execFileSync(compiler, [...flags, `-I${scratch}`, ...units, '-o', output], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	renameSync(output, library);
	rmSync(scratch, { recursive: true, force: true });
	return library;
}
