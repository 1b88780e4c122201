/**
 * Run by `npm install`: builds the native kernels. Never fails the installation; without a compiler the
 * same kernels run in WebAssembly, and `vulntune doctor` says why.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const builder = path.join(
	path.dirname(fileURLToPath(import.meta.url)),
	'../packages/engine/native/build.mjs',
);

if (existsSync(builder)) {
	try {
		const { buildAddon } = await import(pathToFileURL(builder).href);
		await buildAddon();
	} catch {
		console.log(
			'vulntune: the native kernels could not be built, so training runs in WebAssembly, two to six times slower; install g++ or clang++ (C++20) and run `npm install` again (`npx vulntune doctor` shows the reason).',
		);
	}
}
