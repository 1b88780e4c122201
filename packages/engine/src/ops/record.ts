import type { View } from '../backends/contract.ts';
import { describe } from '../backends/view.ts';
import { VulntuneError } from '../errors.ts';
import type { TapeNode } from '../tensor/tape.ts';
import type { Context } from '../tensor/tensor.ts';

/** Puts an op on the tape if its output is tracked, and returns the output. */
export function record<Node extends TapeNode>(context: Context, node: Node): Node['output'] {
	if (context.tape !== undefined && node.output.tracked) context.tape.record(context, node);
	return node.output;
}

/** Throws SHAPE_MISMATCH unless the view has this shape; −1 stands for any size. */
export function expectShape(
	op: string,
	name: string,
	view: Pick<View, 'shape'>,
	shape: readonly number[],
): void {
	const fits =
		view.shape.length === shape.length && shape.every((size, i) => size === -1 || size === view.shape[i]);
	if (fits) return;
	throw new VulntuneError({
		code: 'SHAPE_MISMATCH',
		kind: 'runtime',
		place: op,
		message: `${name} should have the shape [${shape.map((s) => (s === -1 ? '*' : s)).join(', ')}] and has ${describe(view)}`,
	});
}

/** Sizes of a matrix. Throws SHAPE_MISMATCH for anything else. */
export function matrixSizes(
	op: string,
	name: string,
	view: Pick<View, 'shape'>,
): [rows: number, columns: number] {
	expectShape(op, name, view, [-1, -1]);
	return [view.shape[0]!, view.shape[1]!];
}
