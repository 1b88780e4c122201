import type { Config } from '../config/schema.ts';
import { keptBytes } from '../scoring/state-cache.ts';
import { estimateFlops } from '../sizing/estimates.ts';
import type { TransformerShape } from '../sizing/model-shape.ts';

export interface PlannedWork {
	readonly method: Pick<Config['method'], 'type' | 'layersToTransform'>;
	/** Parameters. */
	readonly trainable: number;
	readonly checkpointing: boolean;
	/** Whether states of a base that is frozen from below are kept after the first epoch (docs/decisions/021). */
	readonly keepsStates: boolean;
	readonly data: {
		readonly rows: { readonly train: number; readonly valid: number };
		readonly tokensPerEpoch: number;
		readonly validationTokens: number;
	};
}

/** Operations of the matrix products of a first epoch with its validation, and of a further one. */
export function estimateWork(
	shape: TransformerShape,
	{ method, trainable, checkpointing, keepsStates, data }: PlannedWork,
): { readonly firstEpoch: number; readonly epoch: number } {
	const { type } = method;
	const flops = estimateFlops(shape, {
		backward: type === 'head' ? 'none' : type === 'full' ? 'all' : 'inputs',
		checkpointing,
	});
	const { rows, tokensPerEpoch, validationTokens } = data;
	const above =
		(tokensPerEpoch * flops.training + validationTokens * flops.forward) * trainedShare(shape, method);
	const below = (tokensPerEpoch + validationTokens) * flops.forward * (1 - trainedShare(shape, method));
	// forward and backward, two operations per weight and pass, those of gradients included
	const head = type === 'head' ? 2 * trainable * (3 * rows.train + rows.valid) : 0;
	const firstEpoch = above + below + head;
	// a pooled state of a function is little; those of its tokens may be more than are kept
	const stateBytes = type === 'head' ? 0 : (tokensPerEpoch + validationTokens) * shape.hiddenSize * 4;
	const isKept = keepsStates && stateBytes <= keptBytes;
	return { firstEpoch, epoch: isKept ? above + head : firstEpoch };
}

/** The share of the blocks that is walked back, from the lowest one with something to train. */
function trainedShare(
	{ layers }: TransformerShape,
	{ type, layersToTransform }: PlannedWork['method'],
): number {
	if (type === 'head') return 0;
	const hasAdapters = type === 'lora' || type === 'qlora';
	return hasAdapters && layersToTransform !== null ? (layers - Math.min(...layersToTransform)) / layers : 1;
}
