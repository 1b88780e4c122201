import { uploadIndices } from '../tensor/indices.ts';
import { allocate, type Context, release, type Tensor } from '../tensor/tensor.ts';
import { asRows } from './as-rows.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/** Matrices [T, W] side by side: [T, parts × W]. What `splitColumns` takes apart with one group. */
export function joinColumns(context: Context, parts: readonly [Tensor, ...Tensor[]]): Tensor {
	const { arena, backend } = context;
	const [rows, width] = matrixSizes('joinColumns', 'part 0', parts[0]);
	for (const [i, part] of parts.entries()) expectShape('joinColumns', `part ${i}`, part, [rows, width]);
	const isTracked = parts.some((part) => part.tracked);
	const y = allocate(context, [rows, parts.length * width], isTracked, parts[0].dtype); // [T, parts × W]
	// where the rows of each part lie among rows of W
	const places = parts.map((_, p) =>
		uploadIndices(
			context,
			Int32Array.from({ length: rows }, (__, i) => i * parts.length + p),
		),
	); // parts of [T]
	backend.fill(y, 0);
	for (const [p, part] of parts.entries()) backend.scatterAddRows(asRows(y, width), part, places[p]!);
	record(context, {
		name: 'joinColumns',
		output: y,
		saved: places,
		backward: (gradients, dy) => {
			for (const [p, part] of parts.entries()) {
				if (!part.tracked) continue;
				const own = arena.allocate(dy.dtype, part.shape); // [T, W]
				backend.gatherRows(own, asRows(dy, width), places[p]!);
				gradients.pass(part, own);
				arena.release(own);
			}
		},
	});
	release(context, ...places);
	return y;
}
