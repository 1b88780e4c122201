import { writeFileSync } from 'node:fs';
import { cpuFeatures } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { openRunBackend } from './run-backend.ts';
import { runFolder } from './run-folder.ts';

const folder = runFolder(temporaryFolder());
const auto = { type: 'auto', isa: 'auto', threads: 1 } as const;
const hasKernels = cpuFeatures().failure === undefined;
if (!hasKernels) console.warn('skipped: instruction sets of earlier runs (no native kernels)');

/** What is taken after a run whose environment.json holds this. */
function after(environment: object, choice: Parameters<typeof openRunBackend>[1] = auto) {
	writeFileSync(folder.environment, JSON.stringify(environment));
	const notes: string[] = [];
	const backend = openRunBackend(folder, choice, (line) => notes.push(line));
	backend.close();
	return { name: backend.name, isa: backend.hardware.isa, notes };
}

it('takes the backend of the earlier run where the config leaves it open', () => {
	expect(after({ backend: 'reference (TypeScript)', hardware: {} })).toMatchObject({
		name: 'reference',
		notes: [],
	});
	expect(after({ backend: 'wasm (relaxed-simd, 1 thread)', hardware: { isa: 'relaxed-simd' } }).name).toBe(
		'wasm',
	);
	// as runs of earlier versions and n-grams have it
	expect(after({ backend: 'none' }).name).not.toBe('reference');
});

it.skipIf(!hasKernels)('takes the instruction set of the earlier run where the config leaves it open', () => {
	const made = { backend: 'cpu (generic, 1 thread)', hardware: { isa: 'generic' } };
	expect(after(made)).toEqual({ name: 'cpu', isa: 'generic', notes: [] });
	expect(after(made, { ...auto, type: 'cpu' }).isa).toBe('generic');
	expect(after(made, { ...auto, type: 'wasm' }).name).toBe('wasm');
	const best = cpuFeatures().best!;
	expect(after(made, { ...auto, isa: best }).isa).toBe(best);
	expect(after({ backend: 'cpu (avx2, 1 thread)' }).isa).toBe(best);
	const wasm = { backend: 'wasm (relaxed-simd, 1 thread)', hardware: { isa: 'relaxed-simd' } };
	expect(after(wasm, { ...auto, type: 'cpu' })).toEqual({ name: 'cpu', isa: best, notes: [] });
});

it.skipIf(!hasKernels)('says what it takes where the earlier one is not here', () => {
	const { isa, notes } = after({ backend: 'cpu (sse9, 1 thread)', hardware: { isa: 'sse9' } });
	expect(isa).toBe(cpuFeatures().best);
	expect(notes).toEqual([expect.stringMatching(/no instruction set sse9.*goes on with cpu \(/)]);
});
