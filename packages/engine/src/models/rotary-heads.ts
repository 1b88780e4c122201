import type { TransformerConfig } from '../formats/huggingface/common-config.ts';
import type { Fields } from '../formats/huggingface/fields.ts';

/** Throws MODEL_CONFIG unless each head's elements are pairs, as rotary positions turn them. */
export function checkRotaryHeads(fields: Fields, { headDim }: Pick<TransformerConfig, 'headDim'>): void {
	if (headDim % 2 === 0) return;
	throw fields.error(
		fields.has('head_dim') ? 'head_dim' : 'hidden_size',
		`rotary positions need an even number of elements per head, found ${headDim}`,
	);
}
