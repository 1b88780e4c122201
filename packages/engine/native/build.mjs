/**
 * Builds the native addon: `node packages/engine/native/build.mjs`. Needs a C++20 compiler (g++ 11, clang++ 14 or
 * newer; the variable CXX names another) and nothing else: Node's C headers come from the package
 * `node-api-headers`. Plain JavaScript, since the installing Node may be too old to run TypeScript.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sourceFolder = path.dirname(fileURLToPath(import.meta.url));

export const buildFolder = path.join(sourceFolder, '..', 'build', `${process.platform}-${process.arch}`);
export const addonPath = path.join(buildFolder, 'vulntune.node');
/** Why the last build failed; absent after a good one. */
export const failurePath = path.join(buildFolder, 'failure.txt');

// Contraction is off so that a product and a sum are fused only where the source says `fma`: results then don't
// depend on how a compiler arranged a line.
const commonFlags = [
	...['-std=c++20', '-O3', '-fPIC', '-fvisibility=hidden', '-pthread', '-Wall', '-Wextra'],
	...['-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math'],
];
const avx2 = ['-mavx2', '-mfma', '-mf16c', '-mbmi', '-mbmi2'];
const avx512 = [
	...avx2,
	...['-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mprefer-vector-width=512'],
];

/** Every translation unit with its own flags; those of other processors are left out. Slowest first. */
function translationUnits() {
	const portable = ['isa/generic.cc', 'addon.cc', 'cpu.cc', 'memory.cc', 'pool.cc'].map((file) => ({
		file,
		flags: [],
	}));
	if (process.arch !== 'x64') return portable;
	return [
		{ file: 'isa/avx512bf16.cc', flags: [...avx512, '-mavx512bf16'] },
		{ file: 'isa/avx512bf16_emulated.cc', flags: avx512 },
		{ file: 'isa/avx512.cc', flags: avx512 },
		{ file: 'isa/avx2.cc', flags: avx2 },
		...portable,
	];
}

function headerFolder() {
	return path.join(
		path.dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')),
		'include',
	);
}

async function findCompiler() {
	const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
	for (const command of candidates) {
		try {
			const { stdout } = await run(command, ['--version']);
			return { command, version: stdout };
		} catch {
			// The next one may be there.
		}
	}
	throw new Error(`no C++ compiler found (tried ${candidates.join(', ')})`);
}

function sources(folder = sourceFolder) {
	return readdirSync(folder, { withFileTypes: true })
		.flatMap((entry) => {
			const file = path.join(folder, entry.name);
			return entry.isDirectory() ? sources(file) : /\.(cc|h)$/.test(entry.name) ? [file] : [];
		})
		.sort();
}

function hashOf(parts) {
	const hash = createHash('sha256');
	for (const part of parts) hash.update(part).update('\0');
	return hash.digest('hex').slice(0, 16);
}

/** Compiles one unit unless an object with the same sources and flags is there; returns the object's path. */
async function compile(compiler, unit, sourceHash, includes) {
	const flags = [...commonFlags, ...unit.flags];
	const key = hashOf([compiler.command, compiler.version, flags.join(' '), sourceHash]);
	const stem = unit.file.replace(/[/.]/g, '_');
	const object = path.join(buildFolder, `${stem}-${key}.o`);
	if (existsSync(object)) return object;
	const unfinished = `${object}.${process.pid}`;
	await run(
		compiler.command,
		[...flags, `-I${includes}`, '-c', path.join(sourceFolder, unit.file), '-o', unfinished],
		{ maxBuffer: 1 << 26 },
	);
	for (const old of readdirSync(buildFolder)) {
		if (old.startsWith(`${stem}-`) && old.endsWith('.o'))
			rmSync(path.join(buildFolder, old), { force: true });
	}
	renameSync(unfinished, object);
	return object;
}

/** Runs `work` on all items, two at a time. */
async function inPairs(items, work) {
	const results = new Array(items.length);
	let next = 0;
	const worker = async () => {
		while (next < items.length) {
			const index = next++;
			results[index] = await work(items[index]);
		}
	};
	await Promise.all([worker(), worker()]);
	return results;
}

/**
 * Builds the addon if its sources, its compiler or its flags changed. Returns true if something was built; throws
 * with the compiler's words if it could not be.
 */
export async function buildAddon() {
	mkdirSync(buildFolder, { recursive: true });
	try {
		const built = await build();
		rmSync(failurePath, { force: true });
		return built;
	} catch (error) {
		const reason = `${error.message}\n${error.stderr ?? ''}`.trim();
		writeFileSync(failurePath, reason + '\n');
		throw new Error(reason, { cause: error });
	}
}

async function build() {
	if (process.platform === 'win32') throw new Error('native kernels are not built on Windows; use WSL');
	const compiler = await findCompiler();
	const sourceHash = hashOf(sources().flatMap((file) => [file, readFileSync(file)]));
	const stampPath = path.join(buildFolder, 'stamp');
	const stamp = hashOf([compiler.command, compiler.version, JSON.stringify(translationUnits()), sourceHash]);
	if (existsSync(addonPath) && existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp)
		return false;

	const includes = headerFolder();
	const objects = await inPairs(translationUnits(), (unit) => compile(compiler, unit, sourceHash, includes));
	const linkFlags =
		process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread'];
	const unfinished = `${addonPath}.${process.pid}`;
	await run(compiler.command, [...linkFlags, ...objects, '-o', unfinished]);
	renameSync(unfinished, addonPath);
	writeFileSync(stampPath, stamp);
	return true;
}

if (process.argv[1] && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	try {
		const start = performance.now();
		const built = await buildAddon();
		console.log(built ? `built ${addonPath} in ${Math.round(performance.now() - start)} ms` : 'up to date');
	} catch (error) {
		console.error(error.message);
		process.exitCode = 1;
	}
}
