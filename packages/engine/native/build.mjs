/**
 * Builds the native addon: `node packages/engine/native/build.mjs`. Needs a C++20 compiler (g++ 12, clang++ 14 or
 * newer; the variable CXX names another) and nothing else: Node's C headers come from the package
 * `node-api-headers`. Plain JavaScript, since the installing Node may be too old to run TypeScript.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withIncludes } from './sources.mjs';

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

const levels = [
	{
		name: 'amx',
		flags: [...avx512, '-mavx512vnni', '-mavx512bf16', '-mamx-tile', '-mamx-bf16'],
		processor: 'x64',
	},
	{ name: 'amx_emulated', flags: avx512, processor: 'x64' },
	{ name: 'avx512bf16', flags: [...avx512, '-mavx512vnni', '-mavx512bf16'], processor: 'x64' },
	{ name: 'avx512bf16_emulated', flags: avx512, processor: 'x64' },
	{ name: 'avx512', flags: avx512, processor: 'x64' },
	{ name: 'avx512vnni', flags: [...avx512, '-mavx512vnni'], processor: 'x64' },
	{ name: 'avxvnni', flags: [...avx2, '-mavxvnni'], processor: 'x64' },
	{ name: 'avx2', flags: avx2, processor: 'x64' },
	{ name: 'dotprod', flags: ['-march=armv8.2-a+dotprod'], processor: 'arm64' },
	{ name: 'generic', flags: [], processor: undefined },
];

/**
 * Every translation unit with its own flags, slowest first. Instruction sets of other processors are left out; while
 * working on kernels, VULNTUNE_ISAS=avx512,generic builds only these.
 */
function translationUnits() {
	const wanted = (process.env.VULNTUNE_ISAS || undefined)
		?.split(',')
		.map((name) => name.trim().replace('-', '_'));
	const chosen = levels.filter(
		({ name, processor }) =>
			(processor === undefined || processor === process.arch) && (wanted?.includes(name) ?? true),
	);
	return [
		...chosen.map(({ name, flags }) => ({ file: `isa/${name}.cc`, flags })),
		{ file: 'addon.cc', flags: [] },
		{ file: 'cpu.cc', flags: chosen.map(({ name }) => `-DWITH_${name}`) },
		{ file: 'memory.cc', flags: [] },
		{ file: 'pool.cc', flags: [] },
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

function hashOf(parts) {
	const hash = createHash('sha256');
	for (const part of parts) hash.update(part).update('\0');
	return hash.digest('hex').slice(0, 16);
}

/** Where a unit's object goes: the name changes with the compiler, the flags and the sources. */
function objectPath(compiler, unit) {
	const files = [...withIncludes(path.join(sourceFolder, unit.file))];
	const key = hashOf([
		...[compiler.command, compiler.version, commonFlags.join(' '), unit.flags.join(' ')],
		...files.map((file) => readFileSync(file)),
	]);
	return path.join(buildFolder, `${unit.file.replace(/[/.]/g, '_')}-${key}.o`);
}

/** Compiles one unit unless its object is there. */
async function compile(compiler, unit, object, includes) {
	if (existsSync(object)) return;
	const unfinished = `${object}.${process.pid}`;
	const { stderr } = await run(
		compiler.command,
		[
			...[...commonFlags, ...unit.flags, `-I${includes}`],
			...['-c', path.join(sourceFolder, unit.file), '-o', unfinished],
		],
		{ maxBuffer: 1 << 26 },
	);
	if (process.env.VULNTUNE_ISAS) console.error(stderr);
	renameSync(unfinished, object);
}

/** Another build may be about to link what it compiled a moment ago, so only objects that have lain for an hour go. */
function removeOldObjects(kept) {
	for (const name of readdirSync(buildFolder)) {
		const file = path.join(buildFolder, name);
		const old = Date.now() - statSync(file, { throwIfNoEntry: false })?.mtimeMs > 3_600_000;
		if (/\.o(\.\d+)?$/.test(name) && old && !kept.includes(file)) rmSync(file, { force: true });
	}
}

/** Runs `work` on all items, two at a time. */
async function inPairs(items, work) {
	let next = 0;
	const worker = async () => {
		while (next < items.length) await work(items[next++]);
	};
	await Promise.all([worker(), worker()]);
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
	const units = translationUnits().map((unit) => ({ unit, object: objectPath(compiler, unit) }));
	const objects = units.map(({ object }) => object);
	const stampPath = path.join(buildFolder, 'stamp');
	const stamp = hashOf(objects);
	if (existsSync(addonPath) && existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp)
		return false;

	const includes = headerFolder();
	await inPairs(units, ({ unit, object }) => compile(compiler, unit, object, includes));
	const linkFlags =
		process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread'];
	const unfinished = `${addonPath}.${process.pid}`;
	await run(compiler.command, [...linkFlags, ...objects, '-o', unfinished]);
	renameSync(unfinished, addonPath);
	writeFileSync(stampPath, stamp);
	removeOldObjects(objects);
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
