import { expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { withBfloat16Activations } from '../backends/testing/bfloat16-activations.ts';
import { add, convert, gatherRows, joinColumns, linearCrossEntropy, rmsNorm } from '../ops/index.ts';
import { Arena } from './arena.ts';
import { Gradients } from './gradients.ts';
import { uploadIndices, uploadTargets } from './indices.ts';
import { Tape } from './tape.ts';
import { type Context, type Tensor, upload } from './tensor.ts';

test('activations and their gradients lie in the type that a backend chooses for the precision, statistics and losses in f32', () => {
	const plain = createReferenceBackend();
	const made: string[] = [];
	const backend = {
		...plain,
		activationType: (precision: string) => (precision === 'bf16' ? ('bf16' as const) : ('f32' as const)),
		allocate: (dtype: Parameters<typeof plain.allocate>[0], length: number) => {
			made.push(dtype);
			return plain.allocate(dtype, length);
		},
		gatherRows: () => {},
		add: () => {},
		copy: () => {},
		rmsNorm: () => {},
		linearCrossEntropy: () => {},
	};
	const under = (precision: Context['precision']) => {
		const arena = new Arena(backend);
		const context: Context = { backend, precision, arena, tape: undefined, dropoutSeed: undefined };
		const table = upload(context, new Float32Array(4), [2, 2]);
		const rows = uploadIndices(context, Int32Array.of(0, 1));
		const weight = upload(context, new Float32Array(2));
		const targets = uploadTargets(context, Int32Array.of(0, 1));
		made.length = 0;
		const x = gatherRows(context, table, rows);
		const sum = add(context, x, x);
		rmsNorm(context, sum, weight, 1e-5);
		const states = convert(context, sum, 'f32');
		linearCrossEntropy(context, states, table, targets);
		new Gradients(context).into({ ...sum, tracked: true });
		return made.join(' ');
	};
	// rows and their sum; rstd and what is normalised; states, unless these are there; losses and their logarithms; a gradient
	expect(under('bf16')).toBe('bf16 bf16 f32 bf16 f32 f32 f32 bf16');
	expect(under('int8')).toBe('bf16 bf16 f32 bf16 f32 f32 f32 bf16');
	expect(under('fp32')).toBe('f32 f32 f32 f32 f32 f32 f32');
});

test('columns that are joined keep the type of their parts, and so do their gradients', () => {
	const backend = withBfloat16Activations(createReferenceBackend());
	const [arena, tape] = [new Arena(backend), new Tape()];
	const context: Context = { backend, precision: 'bf16', arena, tape, dropoutSeed: undefined };
	for (const dtype of ['f32', 'bf16'] as const) {
		const part: Tensor = { ...arena.allocate(dtype, [2, 1]), tracked: true, gradient: undefined };
		backend.fill(part, 1);
		const joined = joinColumns(context, [part, part]); // [2, 2]
		expect(joined.dtype).toBe(dtype);
		tape.backward(context, joined, arena.allocate(dtype, [2, 2]));
	}
	arena.close();
});
