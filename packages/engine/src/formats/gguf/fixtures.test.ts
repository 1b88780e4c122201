import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { needsShared } from '../../../../../tests/shared.ts';
import { VulntuneError } from '../../errors.ts';
import { toFloat32 } from '../floats.ts';
import { readFloat32 } from '../weight-source.ts';
import { ggufWeights } from './model-weights.ts';
import { openGguf, rowsOf } from './reader.ts';

const fixtures = needsShared('fixtures/gguf');

function json(...parts: string[]) {
	return fixtures.skip ? { files: {} } : JSON.parse(readFileSync(path.join(fixtures.path, ...parts), 'utf8'));
}

interface GoldenFile {
	readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly sha256: string }>>;
}
interface CorruptFile {
	readonly expect: 'reject' | 'either';
}

describe.skipIf(fixtures.skip)('GGUF fixtures', () => {
	test.each(Object.entries<GoldenFile>(json('golden.json').files))(
		'%s has exactly the values of every tensor',
		(name, golden) => {
			const weights = ggufWeights(openGguf(path.join(fixtures.path, name)));
			expect(new Set(weights.names)).toEqual(new Set(Object.keys(golden.tensors)));
			for (const [tensor, { shape, sha256 }] of Object.entries(golden.tensors)) {
				expect(weights.info(tensor)!.shape).toEqual(shape);
				const values = readFloat32(weights, tensor).map((value) => value + 0); // -0 is 0 there
				expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex'), tensor).toBe(sha256);
			}
			weights.close();
		},
	);

	test('the whole control file is read', () => {
		const expected = json('valid', 'expected.json').files['control.gguf'];
		const file = openGguf(path.join(fixtures.path, 'valid', 'control.gguf'));
		const metadata = [...file.metadata].map(([key, value]) => [
			key,
			ArrayBuffer.isView(value) ? [...(value as Uint8Array)] : value,
		]);
		expect(Object.fromEntries(metadata)).toEqual(expected.metadata);
		for (const { name, type, shape, values } of expected.tensors) {
			const tensor = file.tensors.get(name)!;
			expect({ type: tensor.type.name, shape: tensor.shape }).toEqual({ type, shape });
			const bytes = file.readRows(name, 0, rowsOf(tensor));
			expect([...toFloat32(bytes, tensor.type.plain ?? 'F32')]).toEqual(values);
		}
		file.close();
	});

	test.each(Object.entries<CorruptFile>(json('corrupt', 'expected.json').files))(
		'%s is refused quickly',
		(name, { expect: expected }) => {
			const started = performance.now();
			let error: unknown;
			try {
				const file = openGguf(path.join(fixtures.path, 'corrupt', name));
				for (const [tensor, info] of file.tensors) file.readRows(tensor, 0, rowsOf(info));
				file.close();
			} catch (caught) {
				error = caught;
			}
			if (expected === 'reject') expect(error).toBeInstanceOf(VulntuneError);
			else expect(error === undefined || error instanceof VulntuneError).toBe(true);
			if (error instanceof VulntuneError) {
				expect(error).toMatchObject({ kind: 'input', code: expect.stringMatching(/^GGUF_/) });
				expect(error.place).toContain(name);
				expect(error.message.length).toBeLessThan(600);
			}
			expect(performance.now() - started).toBeLessThan(1000);
		},
	);
});
