import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import { hashStream, normalArray } from '../random/streams.ts';
import type { ModelConfig } from './model.ts';

/** Standard deviation of fresh matrices (Radford et al. 2019). */
export const INITIAL_DEVIATION = 0.02;

/**
 * The values of a weight before training: norms 1, biases 0, matrices normal with deviation 0.02. The two matrices
 * of a block that write into the residual stream have it divided by the root of their number, so that the sum over
 * all blocks starts at the same size whatever the depth (Radford et al. 2019, section 2.3). Each tensor draws from a
 * stream of its own name.
 */
export function initialWeight(
	{ name, shape, kind, writesResidual }: ExpectedTensor,
	config: Pick<ModelConfig, 'layers'>,
	seed: number,
): Float32Array {
	const size = shape.reduce((product, length) => product * length, 1);
	if (kind === 'norm') return new Float32Array(size).fill(1);
	if (kind === 'bias') return new Float32Array(size);
	const deviation =
		writesResidual === true ? INITIAL_DEVIATION / Math.sqrt(2 * config.layers) : INITIAL_DEVIATION;
	return normalArray(seed, hashStream(name), size, deviation);
}
