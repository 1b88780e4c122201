/** NVRTC, NVIDIA's compiler as a library: CUDA C++ to PTX, without a toolkit and without a card. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { withIncludes } from '../sources.mjs';
import { nvrtcPath } from './wheels.mjs';

const sourceFolder = path.dirname(fileURLToPath(import.meta.url));

export function loadCompiler() {
	const file = nvrtcPath();
	const builtins = path.join(path.dirname(file), 'libnvrtc-builtins.so.12.0');
	koffi.load(builtins, { global: true });
	const library = koffi.load(file);
	return {
		create: library.func(
			'int nvrtcCreateProgram(_Out_ void**, const char*, const char*, int, const char**, const char**)',
		),
		compile: library.func('int nvrtcCompileProgram(void*, int, const char**)'),
		logSize: library.func('int nvrtcGetProgramLogSize(void*, _Out_ size_t*)'),
		log: library.func('int nvrtcGetProgramLog(void*, void*)'),
		ptxSize: library.func('int nvrtcGetPTXSize(void*, _Out_ size_t*)'),
		ptx: library.func('int nvrtcGetPTX(void*, void*)'),
	};
}

function textOf(sizeOf, read, program) {
	const size = [0];
	sizeOf(program, size);
	const bytes = Buffer.alloc(Number(size[0]));
	read(program, bytes);
	return bytes.subarray(0, -1).toString();
}

/** PTX of a file of this folder for an architecture; throws with the compiler's words. */
export function compile(compiler, architecture, entry) {
	// names from the folder of the sources, so that no path of this machine gets into the PTX
	const files = [...withIncludes(path.join(sourceFolder, entry))].map((file) =>
		path.relative(sourceFolder, file),
	);
	const headers = files.filter((file) => file !== entry && !file.startsWith('emulation'));
	const named = headers.flatMap((file) => {
		const source = readFileSync(path.join(sourceFolder, file), 'utf8');
		return [...new Set([file, path.basename(file), `../${file}`])].map((name) => ({ name, source }));
	});
	const program = [null];
	const refused = compiler.create(
		program,
		readFileSync(path.join(sourceFolder, entry), 'utf8').replace('#pragma once', ''),
		entry,
		named.length,
		named.map(({ source }) => source),
		named.map(({ name }) => name),
	);
	if (refused !== 0) throw new Error(`NVRTC takes no program: error ${refused}`);
	const options = [`--gpu-architecture=${architecture}`, '--std=c++17', '-default-device'];
	const failed = compiler.compile(program[0], options.length, options);
	const log = textOf(compiler.logSize, compiler.log, program[0]).trim();
	if (failed !== 0) throw new Error(`${architecture}: error ${failed} of NVRTC: ${log}`);
	if (log !== '') console.warn(`${architecture}: ${log}`);
	return textOf(compiler.ptxSize, compiler.ptx, program[0]);
}
