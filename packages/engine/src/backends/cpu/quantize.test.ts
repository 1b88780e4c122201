import { expect, it } from 'vitest';
import { viewOf } from '../view.ts';
import { createCpuBackend } from './cpu.ts';

it('adds up the errors of any number of elements', () => {
	const backend = createCpuBackend({ threads: 2 });
	// twice as many as 128 tasks of the least size have, and some
	const length = 2 ** 22 + 64;
	const [codes, absmax, codebook, x] = [
		viewOf(backend.allocate('u8', length / 2), [length / 2]),
		viewOf(backend.allocate('f32', length / 64), [length / 64]),
		viewOf(backend.allocate('f32', 16), [16]),
		viewOf(backend.allocate('bf16', length), [length]),
	];
	backend.upload(codes, new Uint8Array(length / 2));
	backend.fill(absmax, 1);
	backend.fill(codebook, 0.5);
	backend.upload(x, new Uint16Array(length).fill(0x3f80)); // ones
	const expected = { elements: length, maxAbs: 0.5, abs: length / 2, noise: length / 4, signal: length };
	expect(backend.table4Errors(codes, absmax, codebook, x)).toEqual(expected);
	backend.close();
});
