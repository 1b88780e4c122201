/**
 * Run by `npm install`: builds the native kernels. Never fails the installation; without a compiler the
 * same kernels run in WebAssembly, and `vulntune doctor` says why.
 */
import { buildAddon } from './build.mjs';

try {
	await buildAddon();
} catch {
	console.log(
		'vulntune: the native kernels could not be built, so training runs in WebAssembly, two to six times slower; install g++ or clang++ (C++20) and run `npm rebuild @vulntune/engine` (`npx vulntune doctor` shows the reason).',
	);
}
