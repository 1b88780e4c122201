import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { needsShared } from '../../../../../tests/shared.ts';
import { VulntuneError } from '../../errors.ts';
import { toFloat32 } from '../floats.ts';
import { openSafetensors } from './reader.ts';
import { writeSafetensors } from './writer.ts';

interface ExpectedTensor {
	readonly dtype: string;
	readonly shape: readonly number[];
	readonly hex: string;
	readonly values: readonly (number | string)[] | null;
}
interface ValidFile {
	readonly metadata: Readonly<Record<string, string>> | null;
	readonly header_order: readonly string[] | null;
	readonly tensors: Readonly<Record<string, ExpectedTensor>>;
}
interface CorruptFile {
	readonly what: string;
	readonly expect: 'reject' | 'either';
}

const fixtures = needsShared('fixtures/safetensors');
const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-safetensors-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function expectedFiles<File>(folder: string): [string, File][] {
	if (fixtures.skip) return [];
	const text = readFileSync(path.join(fixtures.path, folder, 'expected.json'), 'utf8');
	return Object.entries(JSON.parse(text).files);
}

function valuesOf(bytes: Uint8Array<ArrayBuffer>, dtype: string): readonly unknown[] {
	switch (dtype) {
		case 'BOOL':
			return [...bytes].map((byte) => byte !== 0);
		case 'U8':
			return [...bytes];
		case 'I8':
			return [...new Int8Array(bytes.buffer)];
		case 'I16':
			return [...new Int16Array(bytes.buffer)];
		case 'U16':
			return [...new Uint16Array(bytes.buffer)];
		case 'I32':
			return [...new Int32Array(bytes.buffer)];
		case 'U32':
			return [...new Uint32Array(bytes.buffer)];
		case 'I64':
			return [...new BigInt64Array(bytes.buffer)].map(String);
		case 'U64':
			return [...new BigUint64Array(bytes.buffer)].map(String);
		case 'F64':
			return [...new Float64Array(bytes.buffer)];
		case 'F32':
		case 'F16':
		case 'BF16':
			return [...toFloat32(bytes, dtype)];
		default:
			return [];
	}
}

describe.skipIf(fixtures.skip)('safetensors fixtures', () => {
	test.each(expectedFiles<ValidFile>('valid'))('%s is read exactly', (name, expected) => {
		const file = openSafetensors(path.join(fixtures.path, 'valid', name));
		expect(new Set(file.tensors.keys())).toEqual(new Set(Object.keys(expected.tensors)));
		if (expected.header_order !== null) expect([...file.tensors.keys()]).toEqual(expected.header_order);
		expect(Object.fromEntries(file.metadata)).toEqual(expected.metadata ?? {});
		for (const [tensorName, tensor] of Object.entries(expected.tensors)) {
			const { dtype, shape } = file.tensors.get(tensorName)!;
			expect({ dtype, shape }).toEqual({ dtype: tensor.dtype, shape: tensor.shape });
			const bytes = file.read(tensorName);
			expect(Buffer.from(bytes).toString('hex')).toBe(tensor.hex);
			if (tensor.values !== null && !/^(F8|C64)/.test(dtype)) {
				const numbers = tensor.values.map((value) =>
					/Infinity|NaN/.test(String(value)) ? Number(value) : value,
				);
				expect(valuesOf(bytes, dtype)).toEqual(numbers);
			}
		}
		file.close();
	});

	test.each(expectedFiles<ValidFile>('valid'))('%s survives being written again', (name) => {
		const source = openSafetensors(path.join(fixtures.path, 'valid', name));
		const copy = path.join(scratch, name);
		const entries = [...source.tensors].map(([tensorName, { dtype, shape }]) => ({
			name: tensorName,
			dtype,
			shape,
			data: () => source.read(tensorName),
		}));
		writeSafetensors(copy, entries, Object.fromEntries(source.metadata));
		const again = openSafetensors(copy);
		expect(again.metadata).toEqual(new Map([...source.metadata].sort()));
		expect(again.tensors.size).toBe(source.tensors.size);
		for (const { name: tensorName, dtype, shape, data } of entries) {
			expect(again.tensors.get(tensorName)).toMatchObject({ dtype, shape });
			expect(again.read(tensorName)).toEqual(data());
		}
		source.close();
		again.close();
	});

	test.each(expectedFiles<CorruptFile>('corrupt'))('%s is refused quickly', (name, { expect: expected }) => {
		const started = performance.now();
		let error: unknown;
		try {
			const file = openSafetensors(path.join(fixtures.path, 'corrupt', name));
			for (const tensorName of file.tensors.keys()) file.read(tensorName);
			file.close();
		} catch (caught) {
			error = caught;
		}
		if (expected === 'reject') expect(error).toBeInstanceOf(VulntuneError);
		else expect(error === undefined || error instanceof VulntuneError).toBe(true);
		if (error instanceof VulntuneError) {
			expect(error.kind).toBe('input');
			expect(error.place).toContain(name);
			expect(error.message.length).toBeLessThan(600);
		}
		expect(performance.now() - started).toBeLessThan(1000);
	});
});
