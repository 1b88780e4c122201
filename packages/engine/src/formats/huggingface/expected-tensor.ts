/** A tensor that a model of a given config must have, by its name in a Hugging Face checkpoint. */
export interface ExpectedTensor {
	readonly name: string;
	/** Of the unquantised tensor; a linear layer's weight is [outputs, inputs]. */
	readonly shape: readonly number[];
	/** `linear`: a matrix inside a block, which quantisation and adapters work on; `head`: the output matrix. */
	readonly kind: 'embedding' | 'linear' | 'bias' | 'norm' | 'head';
	/** Whether a linear layer's output is added to the residual stream. */
	readonly writesResidual?: boolean;
}
