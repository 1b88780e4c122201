import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { toFloat32 } from '../formats/floats.ts';
import { openWeights } from '../formats/huggingface/weights.ts';
import { openSafetensors } from '../formats/safetensors/reader.ts';
import { dequantizeMatrix } from './matrix.ts';
import { quantizedMatrixEntries, readQuantizedMatrix } from './stored-matrix.ts';

const shared = needsShared('fixtures/models');

describe.skipIf(shared.skip)('checkpoints that bitsandbytes saved', () => {
	if (shared.skip) return;
	const folders = readdirSync(shared.path)
		.map((name) => path.join(shared.path, name))
		.filter((folder) => isQuantized(path.join(folder, 'config.json')));

	test.each(folders)('%s', (folder) => {
		const source = openWeights(folder);
		const golden = openSafetensors(path.join(folder, 'golden.safetensors'));
		const quantized = source.names.filter(
			(name) => name.endsWith('.weight') && source.info(name)!.dtype === 'U8',
		);
		expect(quantized.length).toBeGreaterThan(0);
		let compared = 0;
		for (const name of quantized) {
			const matrix = readQuantizedMatrix(source, name)!;
			const expectedName = `dequantized.${name}`;
			if (golden.tensors.has(expectedName)) {
				expect(dequantizeMatrix(matrix)).toEqual(toFloat32(golden.read(expectedName), 'F32'));
				compared++;
			}
			const written = quantizedMatrixEntries(name, matrix);
			const stored = source.names.filter((other) => other === name || other.startsWith(`${name}.`));
			expect(written.map((tensor) => tensor.name).sort()).toEqual(stored.sort());
			for (const tensor of written) {
				expect(source.info(tensor.name)).toMatchObject({ dtype: tensor.dtype, shape: tensor.shape });
				expect(tensor.data).toEqual(source.read(tensor.name));
			}
		}
		const expected = [...golden.tensors.keys()].filter((name) => name.startsWith('dequantized.'));
		expect(compared).toBe(expected.length);
		const plain = source.names.find((name) => name.endsWith('norm.weight'))!;
		expect(readQuantizedMatrix(source, plain)).toBeUndefined();
		source.close();
		golden.close();
	});
});

function isQuantized(configPath: string): boolean {
	return existsSync(configPath) && 'quantization_config' in JSON.parse(readFileSync(configPath, 'utf8'));
}
