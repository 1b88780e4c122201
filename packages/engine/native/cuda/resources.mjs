/** What each kernel takes of a multiprocessor, by NVIDIA's assembler (wheels.mjs), on the cards that people have. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ptxasPath } from './wheels.mjs';

/** Which PTX each runs. */
const cards = [
	{ card: 'sm_70', modules: ['compute_70.ptx'] },
	{ card: 'sm_75', modules: ['compute_70.ptx'] },
	{ card: 'sm_80', modules: ['compute_80.ptx'] },
	{ card: 'sm_86', modules: ['compute_80.ptx'] },
	{ card: 'sm_89', modules: ['compute_80.ptx'] },
	{ card: 'sm_90a', modules: ['compute_80.ptx', 'compute_90a.ptx'] },
];

/** By card and kernel: registers of a thread, bytes it spills, bytes of shared memory that a launch does not name. */
export function measureResources(ptxByFile) {
	const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-ptxas-'));
	try {
		const entries = cards.map(({ card, modules }) => [
			card,
			Object.assign({}, ...modules.map((file) => assemble(folder, card, file, ptxByFile.get(file)))),
		]);
		return Object.fromEntries(entries);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

function assemble(folder, card, file, ptx) {
	const source = path.join(folder, file);
	writeFileSync(source, ptx);
	const args = ['-v', `-arch=${card}`, source, '-o', path.join(folder, 'out.cubin')];
	const told = execFileSync('sh', ['-c', '"$0" "$@" 2>&1', ptxasPath(), ...args], { encoding: 'utf8' });
	const kernels = told.split("Compiling entry function '").slice(1);
	return Object.fromEntries(
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
}
