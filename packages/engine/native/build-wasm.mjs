/**
 * Builds the kernels as WebAssembly: `npm run wasm`. The module is part of the repository, so that machines without a
 * compiler have it; `npm run wasm -- --check` tells whether it is what its sources give, byte for byte.
 *
 * The same compiler gives the same bytes everywhere, another one may not: Debian's packages clang-19 and lld-19
 * (Debian 12 and 13) it is. CLANG and WASM_LD name other commands.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withIncludes } from './sources.mjs';

const folder = path.dirname(fileURLToPath(import.meta.url));
const modulePath = path.join(folder, '../wasm/kernels.wasm');
const clang = process.env.CLANG || 'clang++-19';
const linker = process.env.WASM_LD || 'wasm-ld-19';

const units = ['isa/wasm.cc', 'pool.cc', 'wasm/memory.cc', 'wasm/module.cc'];

// As in build.mjs, contraction is off: products are fused only where the source says `fma`.
const compileFlags = [
	...['--target=wasm32', '-std=c++20', '-O3', '-fno-exceptions', '-fno-rtti', '-fvisibility=hidden'],
	...['-Wall', '-Wextra', '-Werror', '-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math'],
	...['-msimd128', '-mrelaxed-simd', '-matomics', '-mbulk-memory', '-isystem', 'wasm/include'],
];
/** Functions of <math.h> that kernels call: JavaScript's take their place (instance.ts). */
const imports = ['exp', 'expm1', 'log', 'log1p', 'pow'];
const linkFlags = [
	...['--no-entry', '--strip-all', '--export-table', '--import-memory', '--shared-memory'],
	// One page short of 4 GiB, so that the address after the last byte is a number of 32 bits too.
	...[
		'--initial-memory=1048576',
		'--max-memory=4294901760',
		'-z',
		'stack-size=262144',
		'--stack-first',
		'--export=__stack_pointer',
	],
];

/** A hash of all that goes into the module but the compiler. */
function hashOfSources() {
	const hash = createHash('sha256').update(JSON.stringify([compileFlags, imports, linkFlags]));
	const files = new Set();
	for (const unit of units) withIncludes(path.join(folder, unit), files);
	const names = [...files].map((file) => path.relative(folder, file).replaceAll(path.sep, '/')).sort();
	for (const name of names) hash.update(`\0${name}\0`).update(readFileSync(path.join(folder, name)));
	return hash.digest('hex');
}

/** The compiler's version, or undefined without one. */
function findCompiler() {
	try {
		const versionOf = (command) =>
			/\d+\.\d+\.\d+/.exec(execFileSync(command, ['--version'], { encoding: 'utf8' }))?.[0];
		return `clang ${versionOf(clang)}, lld ${versionOf(linker)}`;
	} catch {
		return undefined;
	}
}

/** A custom section that says what the module was made from. */
function originSection(origin) {
	const name = Buffer.from('origin');
	const text = Buffer.from(JSON.stringify(origin));
	const size = 1 + name.length + text.length;
	return Buffer.concat([Buffer.from([0, (size & 0x7f) | 0x80, size >> 7, name.length]), name, text]);
}

function originOf(bytes) {
	const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), 'origin');
	return section === undefined ? {} : JSON.parse(Buffer.from(section).toString());
}

function build(compiler) {
	const temporary = mkdtempSync(path.join(tmpdir(), 'vulntune-wasm-'));
	try {
		const objects = units.map((unit) => {
			const object = path.join(temporary, unit.replaceAll('/', '_') + '.o');
			execFileSync(clang, [...compileFlags, '-c', unit, '-o', object], { cwd: folder, stdio: 'inherit' });
			return object;
		});
		const allowed = path.join(temporary, 'imports.txt');
		writeFileSync(allowed, imports.join('\n') + '\n');
		const linked = path.join(temporary, 'kernels.wasm');
		execFileSync(linker, [...linkFlags, `--allow-undefined-file=${allowed}`, ...objects, '-o', linked], {
			stdio: 'inherit',
		});
		return Buffer.concat([readFileSync(linked), originSection({ sources: hashOfSources(), compiler })]);
	} finally {
		rmSync(temporary, { recursive: true });
	}
}

const install = 'Install the packages clang-19 and lld-19 (Debian 12 or 13)';
const rebuild = 'Run `npm run wasm` and commit packages/engine/wasm/kernels.wasm.';

/** Throws if the module is not what its sources give. Without its compiler only its sources can be compared. */
function check(compiler) {
	const bytes = readFileSync(modulePath);
	const origin = originOf(bytes);
	if (origin.sources !== hashOfSources()) {
		throw new Error(`The WebAssembly module is older than its sources. ${rebuild}`);
	}
	if (compiler !== origin.compiler) {
		return (
			'The WebAssembly module was made from these sources; its bytes were not compared, because it was made by ' +
			`${origin.compiler} and here is ${compiler ?? 'none'}. ${install} to compare them.`
		);
	}
	if (!build(compiler).equals(bytes)) {
		throw new Error(`The WebAssembly module is not what its sources give. ${rebuild}`);
	}
	return `The WebAssembly module is what its sources give (${compiler}).`;
}

try {
	const compiler = findCompiler();
	if (process.argv.includes('--check')) {
		console.log(check(compiler));
	} else if (compiler === undefined) {
		throw new Error(`There is no ${clang} or no ${linker}. ${install}.`);
	} else {
		const bytes = build(compiler);
		mkdirSync(path.dirname(modulePath), { recursive: true });
		writeFileSync(modulePath, bytes);
		console.log(`built ${path.relative(process.cwd(), modulePath)} (${bytes.length} bytes, ${compiler})`);
	}
} catch (error) {
	console.error(error.message);
	process.exitCode = 1;
}
