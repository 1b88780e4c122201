import { expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { add, convert, gatherRows, linearCrossEntropy, rmsNorm } from '../ops/index.ts';
import { Arena } from './arena.ts';
import { Gradients } from './gradients.ts';
import { uploadIndices, uploadTargets } from './indices.ts';
import { type Context, upload } from './tensor.ts';

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
