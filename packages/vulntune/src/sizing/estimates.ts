import type { TransformerShape } from './model-shape.ts';

export interface WorkSettings {
	/** What the backward pass computes: nothing, gradients of inputs (frozen base), or of weights too. */
	readonly backward: 'none' | 'inputs' | 'all';
	readonly checkpointing: boolean;
}

/** Operations per token of the matrix products: two per weight and pass. Attention and adapters are left out. */
export function estimateFlops(
	shape: TransformerShape,
	settings: WorkSettings,
): { readonly forward: number; readonly training: number } {
	const linear = shape.matrices.reduce((sum, { rows, columns }) => sum + rows * columns, 0);
	const forward = 2 * linear;
	const backward = { none: 0, inputs: 1, all: 2 }[settings.backward];
	const again = settings.checkpointing && backward > 0 ? 1 : 0;
	return { forward, training: forward * (1 + backward + again) };
}
