import { expect, it } from 'vitest';
import type { Backend, Precision } from '../backends/contract.ts';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { segmentTensors, targetTensor, tensor } from '../backends/testing/tensors.ts';
import { Arena } from '../tensor/arena.ts';
import { createParameters } from '../tensor/parameters.ts';
import { Tape } from '../tensor/tape.ts';
import { type Context, constant, type Tensor } from '../tensor/tensor.ts';
import { attention } from './attention.ts';
import { linear } from './linear.ts';
import { linearCrossEntropy } from './linear-cross-entropy.ts';

/** What arithmetic each product of a pass was asked for, by kernel. */
function arithmeticOf(precision: Precision, run: (context: Context, backend: Backend) => Tensor): string[] {
	const inner = createReferenceBackend();
	const asked: string[] = [];
	const backend = new Proxy(inner, {
		get(target, name: keyof Backend) {
			const member = target[name];
			if (typeof member !== 'function') return member;
			return (...values: unknown[]) => {
				const last = values.at(-1);
				const used =
					typeof last === 'string' ? last : (last as { precision?: string } | undefined)?.precision;
				if (used !== undefined) asked.push(`${name} ${used}`);
				return Reflect.apply(member, target, values);
			};
		},
	});
	const tape = new Tape();
	const context: Context = { backend, precision, arena: new Arena(backend), tape, dropoutSeed: undefined };
	const output = run(context, inner);
	const dOutput = context.arena.allocate('f32', output.shape);
	backend.fill(dOutput, 1);
	tape.backward(context, output, dOutput);
	return asked.filter((call) => !call.startsWith('activationType'));
}

const parameterSpecs = [
	{ name: 'x', shape: [2, 3] },
	{ name: 'a', shape: [1, 3] },
	{ name: 'b', shape: [4, 1] },
	{ name: 'w', shape: [4, 3] },
];

it('computes in 8 bits with a frozen weight', () => {
	const asked = arithmeticOf('int8', (context, backend) => {
		const parameters = createParameters(backend, parameterSpecs);
		const weight = constant(tensor(backend, [4, 3], new Float32Array(12)));
		const lora = { a: parameters.get('a'), b: parameters.get('b'), scale: 1, dropout: 0, site: 0 };
		return linear(context, parameters.get('x'), { weight, lora });
	});
	expect(asked).toEqual(['linearForward int8', 'linearBackward int8']);
});

it.each([
	['int8', 'bf16'],
	['bf16', 'bf16'],
	['fp32', 'fp32'],
] as const)('under %s computes with a trainable weight and the vocabulary in %s', (precision, used) => {
	const trained = arithmeticOf(precision, (context, backend) => {
		const parameters = createParameters(backend, parameterSpecs);
		return linear(context, parameters.get('x'), { weight: parameters.get('w') });
	});
	expect(trained).toEqual([`linearForward ${used}`, `matmulNN ${used}`, `matmulTN ${used}`]);
	const vocabulary = arithmeticOf(precision, (context, backend) => {
		const parameters = createParameters(backend, parameterSpecs);
		const weight = constant(tensor(backend, [4, 3], new Float32Array(12)));
		return linearCrossEntropy(context, parameters.get('x'), weight, targetTensor(backend, [1, 1]));
	});
	expect(vocabulary).toEqual([`linearCrossEntropy ${used}`, `linearCrossEntropyBackward ${used}`]);
});

it.each([
	['fp32', 'fp32'],
	['bf16', 'bf16'],
	['int8', 'bf16'],
] as const)('attends under %s in %s, forward and backward', (precision, used) => {
	const asked = arithmeticOf(precision, (context, backend) => {
		const x = createParameters(backend, parameterSpecs).get('x');
		const shape = { heads: 1, keyValueHeads: 1, headDim: 3, causal: true, scale: 1 };
		return attention(context, x, x, x, segmentTensors(backend, [0, 2]), shape);
	});
	expect(asked).toEqual([`attention ${used}`, `attentionBackward ${used}`]);
});
