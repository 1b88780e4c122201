import { rowsOf } from '../backends/view.ts';
import { VulntuneError } from '../errors.ts';
import { allocate, type Context, constant, type Tensor } from '../tensor/tensor.ts';
import { expectShape, matrixSizes, record } from './record.ts';

/** [A + B, W]: the rows of a [A, W], then those of b [B, W]. */
export function concatRows(context: Context, a: Tensor, b: Tensor): Tensor {
	const { backend } = context;
	const [above, width] = matrixSizes('concatRows', 'a', a);
	const [below] = matrixSizes('concatRows', 'b', b);
	expectShape('concatRows', 'b', b, [below, width]);
	if (a.dtype !== b.dtype) throw typesDiffer(a.dtype, b.dtype);
	const y = allocate(context, [above + below, width], a.tracked || b.tracked, a.dtype); // [A + B, W]
	backend.copy(rowsOf(y, 0, above), a);
	backend.copy(rowsOf(y, above, above + below), b);
	return record(context, {
		name: 'concatRows',
		output: y,
		saved: [],
		backward: (gradients, dy) => {
			for (const [part, from] of [
				[a, 0],
				[b, above],
			] as const) {
				const rows = rowsOf(dy, from, from + part.shape[0]!);
				const target = gradients.into(part);
				if (target === undefined) continue;
				if (!target.accumulate) backend.fill(target.view, 0);
				backend.addScaled(target.view, constant(rows), 1);
			}
		},
	});
}

function typesDiffer(a: string, b: string): VulntuneError {
	return new VulntuneError({
		code: 'CONCAT_TYPES',
		kind: 'input',
		message: `what is trained lies in ${a} and the activations in ${b}`,
		place: 'method.type: prefix',
		remedy: 'Use training.precision: fp32, or the cpu backend.',
	});
}
