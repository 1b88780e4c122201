import { expect, it } from 'vitest';
import { roundToBfloat16, widenBfloat16 } from '../../formats/floats.ts';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { columnsOf, viewOf } from '../view.ts';
import { withBfloat16Activations } from './bfloat16-activations.ts';
import { emptyTensor, rangeTensor, targetTensor, tensor } from './tensors.ts';

it('rounds what a kernel made, and leaves what lies around it, NaN too', () => {
	const backend = withBfloat16Activations(createReferenceBackend());
	const stray = 0x7fff; // a NaN that no rounding makes
	const buffer = backend.allocate('bf16', 4);
	const whole = viewOf(buffer, [4]);
	backend.upload(whole, Uint16Array.of(stray, ...roundToBfloat16(Float32Array.of(1, 3)), stray));
	const inner = viewOf(buffer, [2], 1);
	backend.scale(inner, 1 + 2 ** -8); // 1.00390625 and 3.01171875, to even
	expect(backend.download(whole)).toEqual(
		Uint16Array.of(stray, ...roundToBfloat16(Float32Array.of(1, 3.015625)), stray),
	);
	expect(backend.memory().liveBuffers).toBe(1);
});

it('gives kernels columns of a matrix as they lie, and floats as they are', () => {
	const backend = withBfloat16Activations(createReferenceBackend());
	const heads = { heads: 1, keyValueHeads: 1, headDim: 2 };
	const shape = { ...heads, causal: false, scale: 1, precision: 'bf16' } as const;
	const qkv = emptyTensor(backend, [1, 6], 'bf16');
	backend.upload(qkv, roundToBfloat16(Float32Array.of(1, 2, 3, 4, 5, 6)));
	const [q, k, v] = [0, 2, 4].map((from) => columnsOf(qkv, from, from + 2));
	const [out, logSumExp] = [emptyTensor(backend, [1, 2], 'bf16'), emptyTensor(backend, [1, 1])];
	const starts = emptyTensor(backend, [2], 'i32');
	backend.upload(starts, Int32Array.of(0, 1));
	const segments = { starts, parents: undefined, count: 1, tokens: 1, longest: 1 };
	backend.attention(out, logSumExp, q!, k!, v!, segments, shape);
	expect(widenBfloat16(backend.download(out) as Uint16Array)).toEqual(Float32Array.of(5, 6));
	expect(backend.download(logSumExp)).toEqual(Float32Array.of(11));
	expect(backend.sumOfSquares(tensor(backend, [2], [3, 4]))).toBe(25);
});

it('refuses the types that a card refuses, before anything is computed', () => {
	const backend = withBfloat16Activations(createReferenceBackend());
	const states = emptyTensor(backend, [2, 2]);
	const activations = emptyTensor(backend, [2, 2], 'bf16');
	const angles = emptyTensor(backend, [2, 1], 'bf16');
	const column = emptyTensor(backend, [2]);
	const ranges = rangeTensor(backend, [1, 2], [0, 2]);
	const targets = targetTensor(backend, [0, 1]);
	const pooled = emptyTensor(backend, [1, 2]);
	const saved = { hidden: states, weight: states, targets, logSumExp: column };
	const dHidden = { view: activations, accumulate: false };
	const calls = {
		'a sum of two types': () => backend.add(states, states, activations),
		'angles in bfloat16': () => backend.rope(activations, activations, angles, angles, 2, false),
		'pooled activations': () => backend.poolRows('mean', pooled, undefined, activations, ranges),
		'a loss of activations': () =>
			backend.linearCrossEntropy(column, column, activations, states, targets, 'bf16'),
		'the gradient of a loss as activations': () =>
			backend.linearCrossEntropyBackward({ dHidden, dWeight: undefined }, saved, column, 'bf16'),
	};
	for (const [name, call] of Object.entries(calls)) {
		expect(call, name).toThrow(expect.objectContaining({ code: 'CUDA_TYPE' }));
	}
	backend.add(activations, activations, activations);
});
