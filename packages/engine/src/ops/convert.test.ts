import { expect, it } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { widenBfloat16 } from '../formats/floats.ts';
import { Arena } from '../tensor/arena.ts';
import { Tape } from '../tensor/tape.ts';
import { type Context, release, type Tensor, upload } from '../tensor/tensor.ts';
import { convert } from './convert.ts';

const backend = createReferenceBackend();

function contextWithTape(): Context & { readonly tape: Tape } {
	const [arena, tape] = [new Arena(backend), new Tape()];
	return { backend, precision: 'bf16', arena, tape, dropoutSeed: undefined };
}

it('rounds to another type, and gives the gradient in the one before, added to what is there', () => {
	const context = contextWithTape();
	const gradient = upload(context, Float32Array.of(10, 20));
	const x: Tensor = { ...upload(context, Float32Array.of(1 + 2 ** -9, -3)), tracked: true, gradient };
	const y = convert(context, x, 'bf16');
	expect(widenBfloat16(backend.download(y) as Uint16Array)).toEqual(Float32Array.of(1, -3));
	const dy = context.arena.allocate('bf16', [2]);
	backend.copy(dy, upload(context, Float32Array.of(0.5, 2)));
	context.tape.backward(context, y, dy);
	expect(backend.download(gradient)).toEqual(Float32Array.of(10.5, 22));
	context.arena.close();
});

it('gives what lies in the type already as it is, with one holder more', () => {
	const context = contextWithTape();
	const x = upload(context, Float32Array.of(1));
	expect(convert(context, x, 'f32')).toBe(x);
	release(context, x);
	expect(backend.download(x)).toEqual(Float32Array.of(1));
	context.arena.close();
});
