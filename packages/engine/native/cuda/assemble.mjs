/** Machine code of the cards that people have, and what each kernel takes there, by NVIDIA's assembler (wheels.mjs). */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ptxasPath } from './wheels.mjs';

/** Which PTX each runs. */
const cards = [
	{ card: 'sm_70', modules: ['compute_70'] },
	{ card: 'sm_75', modules: ['compute_75'] },
	{ card: 'sm_80', modules: ['compute_80'] },
	{ card: 'sm_86', modules: ['compute_80'] },
	{ card: 'sm_89', modules: ['compute_80'] },
	{ card: 'sm_90a', modules: ['compute_80', 'compute_90a'] },
];
/** Whose drivers compile the PTX themselves: too few are left. */
const withoutCubin = new Set(['sm_70']);

/**
 * `resources`, by card and kernel: registers of a thread, bytes it spills, bytes of shared memory that a launch does not name.
 * `cubins`, by the names of the PTX and the card: machine code that a driver loads as it is.
 */
export function assembleAll(ptxByFile) {
	const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-ptxas-'));
	try {
		const cubins = new Map();
		const entries = cards.map(({ card, modules }) => {
			const ofModules = modules.map((module) => {
				const { resources, cubin } = assemble(folder, card, ptxByFile.get(`${module}.ptx`));
				if (!withoutCubin.has(card)) cubins.set(`${module}.${card}`, cubin);
				return resources;
			});
			return [card, Object.assign({}, ...ofModules)];
		});
		return { resources: Object.fromEntries(entries), cubins };
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

function assemble(folder, card, ptx) {
	const [source, output] = [path.join(folder, 'kernels.ptx'), path.join(folder, 'kernels.cubin')];
	writeFileSync(source, ptx);
	const args = ['-v', `-arch=${card}`, source, '-o', output];
	const told = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', ptxasPath(), ...args], { encoding: 'utf8' });
	const kernels = told.split("Compiling entry function '").slice(1);
	const resources = Object.fromEntries(
		kernels
			.map((text) => {
				const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
				const registers = number(/Used (\d+) registers/);
				const spilled = number(/(\d+) bytes spill stores/);
				const shared = number(/(\d+) bytes smem/);
				return [text.slice(0, text.indexOf("'")), { registers, spilled, shared }];
			})
			.sort(([a], [b]) => (a < b ? -1 : 1)),
	);
	return { resources, cubin: readFileSync(output) };
}
