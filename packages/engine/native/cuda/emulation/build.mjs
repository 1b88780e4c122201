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

/** The path of the stand-in for libcuda; builds it unless it is there. Throws with the compiler's words. */
export function buildStandIn() {
	return buildLibrary('libcuda', ['driver.cc', 'kernels.cc', 'memory.cc', 'streams.cc', 'fibers.cc']);
}

/** The same of the one for libnccl. */
export function buildNcclStandIn() {
	return buildLibrary('libnccl', ['nccl.cc']);
}

/** The same of a libcuda that does nothing. */
export function buildIdleDriver() {
	return buildLibrary('libcuda-idle', ['idle.cc']);
}

function buildLibrary(libraryName, unitNames) {
	const compiler = process.env.CXX || 'g++';
	const units = unitNames.map((name) => path.join(folder, name));
	const sources = new Set();
	for (const unit of units) withIncludes(unit, sources);
	const hash = createHash('sha256')
		.update(execFileSync(compiler, ['--version']))
		.update(flags.join(' '));
	for (const file of [...sources, signatures]) hash.update(readFileSync(file));
	const library = path.join(buildFolder, `${libraryName}-${hash.digest('hex').slice(0, 16)}.so`);
	if (existsSync(library)) return library;
	const names = Object.keys(JSON.parse(readFileSync(signatures, 'utf8')).signatures);
	const scratch = path.join(buildFolder, `${libraryName}-${process.pid}`);
	mkdirSync(scratch, { recursive: true });
	writeFileSync(path.join(scratch, 'kernels.inc'), names.map((name) => `ENTRY(${name})\n`).join(''));
	const output = path.join(scratch, 'library.so');
	execFileSync(compiler, [...flags, `-I${scratch}`, ...units, '-o', output], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	renameSync(output, library);
	rmSync(scratch, { recursive: true, force: true });
	return library;
}
