/**
 * Writes src/backends/cpu/kernel-table.ts from the table in kernels.h: `npm run kernels`. With `--check` it tells whether
 * the file is what the table gives.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.dirname(fileURLToPath(import.meta.url));
const target = path.join(folder, '../src/backends/cpu/kernel-table.ts');

/** The kernels of the header, in its order. */
function readKernels() {
	const header = readFileSync(path.join(folder, 'kernels.h'), 'utf8').replace(/\/\/.*$/gm, '');
	const text = header.replace(/\\\n/g, ' ').replace(/\s+/g, ' ');
	return [...text.matchAll(/KERNEL\((void|double), (\w+), \(Pool ?& ?pool,? ?([^()]*)\)\)/g)].map(
		([, result, name, list]) => ({ result, name, parameters: list.split(',').map(readParameter) }),
	);
}

/** What C++ declares and what JavaScript gives for it; the letters are those of addon.cc. */
function readParameter(declaration) {
	const [, type, name] = /^(.*?)(\w+)$/.exec(declaration.trim());
	if (type.includes('*')) return { name, letter: 'p', type: 'Address' };
	if (/^bool /.test(type)) return { name, letter: 'b', type: 'boolean' };
	return { name, letter: 'n', type: 'number' };
}

function write(kernels) {
	const methods = kernels.map(({ result, name, parameters }) => {
		const list = ['engine: EngineHandle', ...parameters.map(({ name, type }) => `${name}: ${type}`)];
		const returned = result === 'void' ? 'void' : 'number';
		const line = `${name}(${list.join(', ')}): ${returned};`;
		// as the formatter breaks lines
		if (line.length <= 108) return `\t${line}\n`;
		return `\t${name}(\n${list.map((one) => `\t\t${one},\n`).join('')}\t): ${returned};\n`;
	});
	const signatures = kernels.map(
		({ name, parameters }) => `\t${name}: '${parameters.map(({ letter }) => letter).join('')}',\n`,
	);
	return `// Made from native/kernels.h by \`npm run kernels\`: change that.
import type { Address, EngineHandle } from './handles.ts';

/** The kernels of native/, as the addon and the WebAssembly module give them. */
export interface Kernels {
${methods.join('')}}

/** Of each kernel the kinds of its arguments after the engine: p address, b flag, n number. */
export const kernelSignatures: { readonly [Name in keyof Kernels]: string } = {
${signatures.join('')}};
`;
}

const text = write(readKernels());
if (!process.argv.includes('--check')) {
	writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
	console.error('kernel-table.ts is not what kernels.h gives. Run `npm run kernels` and commit the file.');
	process.exitCode = 1;
}
