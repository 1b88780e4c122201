import type { TransformerConfig } from '../formats/huggingface/common-config.ts';
import type { Fields } from '../formats/huggingface/fields.ts';
import type { RopeConfig } from '../formats/huggingface/rope-scaling.ts';

/** Throws MODEL_CONFIG unless each head's elements are pairs, as rotary positions turn them. */
export function checkRotaryHeads(fields: Fields, { headDim }: Pick<TransformerConfig, 'headDim'>): void {
	if (headDim % 2 === 0) return;
	throw fields.error(
		fields.has('head_dim') ? 'head_dim' : 'hidden_size',
		`rotary positions need an even number of elements per head, found ${headDim}`,
	);
}

/**
 * Elements of each head that are turned, where that is a share of them. Throws MODEL_CONFIG unless these are pairs.
 *
 * @param name the field that says the share
 */
export function turnedElements(
	fields: Fields,
	name: string,
	{ headDim, turnedShare }: Pick<TransformerConfig & RopeConfig, 'headDim' | 'turnedShare'>,
): number {
	const turned = Math.floor(headDim * turnedShare);
	if (turned >= 2 && turned % 2 === 0) return turned;
	throw fields.error(
		name,
		`an even number of elements of each head is expected, found ${turnedShare} of ${headDim}`,
	);
}
