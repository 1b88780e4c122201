import path from 'node:path';
import { inputError } from '../errors.ts';
import { writeTextAtomically } from '../formats/files.ts';
import { toFloat32 } from '../formats/floats.ts';
import { openSafetensors } from '../formats/safetensors/reader.ts';
import { writeSafetensors } from '../formats/safetensors/writer.ts';

/** The two files of every adapter that PEFT saves. */
export const CONFIG_FILE = 'adapter_config.json';
export const WEIGHTS_FILE = 'adapter_model.safetensors';

/** A matrix, or a vector, of an adapter in the host's memory. */
export interface HostMatrix {
	readonly shape: readonly number[];
	readonly values: Float32Array;
}

/**
 * Every tensor of a file of weights by its name there. Throws ADAPTER_WEIGHTS for one that isn't floating-point or holds NaN or
 * infinity.
 */
export function readMatrices(file: string): Map<string, HostMatrix> {
	const source = openSafetensors(file);
	try {
		const tensors = new Map<string, HostMatrix>();
		for (const [name, { dtype, shape }] of source.tensors) {
			if (!['F32', 'F16', 'BF16', 'F64'].includes(dtype)) {
				throw weightsError(file, `${name} must hold floating-point numbers, found ${dtype}`);
			}
			const values = toFloat32(source.read(name), dtype);
			const wrong = values.findIndex((value) => !Number.isFinite(value));
			if (wrong >= 0) throw weightsError(file, `${name} holds ${values[wrong]} as its element ${wrong}`);
			tensors.set(name, { shape, values });
		}
		return tensors;
	} finally {
		source.close();
	}
}

/** Writes matrices in float32 as one file of safetensors, whole or not at all. */
export function writeMatrices(
	file: string,
	matrices: Iterable<readonly [name: string, matrix: HostMatrix]>,
): void {
	const entries = Array.from(matrices, ([name, { shape, values }]) => ({
		...{ name, dtype: 'F32' as const, shape },
		data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
	}));
	writeSafetensors(file, entries, { format: 'pt' });
}

/** Writes the two files, each whole or not at all, the tensors in float32. */
export function writePeftFiles(
	folder: string,
	config: object,
	tensors: Iterable<readonly [name: string, matrix: HostMatrix]>,
): void {
	writeMatrices(path.join(folder, WEIGHTS_FILE), tensors);
	writeTextAtomically(path.join(folder, CONFIG_FILE), `${JSON.stringify(config, null, '\t')}\n`);
}

/** ADAPTER_WEIGHTS about a file of weights. */
export function weightsError(file: string, message: string, remedy = 'Save the adapter again.'): Error {
	return inputError('ADAPTER_WEIGHTS', message, { place: file, remedy });
}
