import path from 'node:path';
import {
	type Backend,
	makeFolder,
	type Parameters,
	roundToBfloat16,
	type SafetensorsEntry,
	writeFileAtomically,
	writeSafetensors,
} from '@vulntune/engine';

/**
 * Writes a model folder in Hugging Face layout: the weights as `model.safetensors`, each of them whole or not at all,
 * and beside them the given files (config.json, tokenizer, README).
 */
export function saveModelFolder(
	folder: string,
	backend: Backend,
	parameters: Parameters,
	storage: 'bf16' | 'fp32',
	files: ReadonlyMap<string, Uint8Array>,
): void {
	makeFolder(folder);
	const entries = parameters.specs.map(({ name, shape }): SafetensorsEntry => {
		const values = () => Float32Array.from(backend.download(parameters.get(name)));
		if (storage === 'fp32') return { name, dtype: 'F32', shape, data: () => bytesOf(values()) };
		return { name, dtype: 'BF16', shape, data: () => bytesOf(roundToBfloat16(values())) };
	});
	writeSafetensors(path.join(folder, 'model.safetensors'), entries, { format: 'pt' });
	for (const [name, bytes] of files) writeFileAtomically(path.join(folder, name), (append) => append(bytes));
}

function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
	return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
