import { type LoraConfig, loraScale } from '../layers/lora.ts';
import { parseLoraName } from '../layers/lora-names.ts';
import type { AdapterConfig } from './adapter-config.ts';
import type { HostMatrix } from './peft-files.ts';

/**
 * Matrices of one rank and one scale that compute the same: those of a smaller rank get rows of A and columns of B that are zero (and
 * stay zero in training, since each has the gradient that the other lets through), those of another scale a B that is scaled.
 */
export function evenlyScaled(
	matrices: ReadonlyMap<string, HostMatrix>,
	config: LoraConfig,
	{ rankOf, alphaOf }: Pick<AdapterConfig, 'rankOf' | 'alphaOf'>,
): ReadonlyMap<string, HostMatrix> {
	const scale = loraScale(config);
	return new Map(
		[...matrices].map(([name, matrix]) => {
			const { module, part } = parseLoraName(name)!;
			const isA = part === 'a';
			const rank = rankOf(module);
			const factor = loraScale({ ...config, rank, alpha: alphaOf(module) }) / scale;
			const shape = isA ? [config.rank, matrix.shape[1]!] : [matrix.shape[0]!, config.rank];
			if (rank === config.rank && (isA || factor === 1)) return [name, matrix];
			return [name, { shape, values: padded(matrix, shape, isA ? 1 : factor) }];
		}),
	);
}

/** The matrix times a factor, with zeros below and on the right. */
function padded({ shape, values }: HostMatrix, wanted: readonly number[], factor: number): Float32Array {
	const [rows, columns] = shape as [number, number];
	const result = new Float32Array(wanted[0]! * wanted[1]!);
	for (let row = 0; row < rows; row++) {
		for (let column = 0; column < columns; column++) {
			result[row * wanted[1]! + column] = factor * values[row * columns + column]!;
		}
	}
	return result;
}
