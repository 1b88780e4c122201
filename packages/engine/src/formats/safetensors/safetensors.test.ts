import {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { runsOf } from '../../../../../tests/nightly/nightly.ts';
import { VulntuneError } from '../../errors.ts';
import { damaged } from '../testing/damage.ts';
import { thrownBy } from '../testing/thrown-by.ts';
import { bytesPerElement, type SafetensorsDtype } from './dtypes.ts';
import { openSafetensors } from './reader.ts';
import { indexFileName, writeShardedSafetensors } from './sharded.ts';
import { type SafetensorsEntry, writeSafetensors } from './writer.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-safetensors-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const target = path.join(scratch, 'model.safetensors');

const dtypes: readonly SafetensorsDtype[] = [
	'F64',
	'F32',
	'F16',
	'BF16',
	'I8',
	'U8',
	'I64',
	'BOOL',
	'F8_E4M3',
];

const entryArbitrary = fc
	.record({
		name: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '7', '"', '\n', 'tensor')),
		dtype: fc.constantFrom(...dtypes),
		shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
		seed: fc.integer({ min: 0, max: 255 }),
	})
	.filter(({ name }) => name !== '__metadata__')
	.map(({ name, dtype, shape, seed }) => {
		const length = shape.reduce((product, size) => product * size, bytesPerElement(dtype));
		return { name, dtype, shape, data: Uint8Array.from({ length }, (_, i) => (i * 31 + seed) % 256) };
	});

const entriesArbitrary = fc.uniqueArray(entryArbitrary, { selector: ({ name }) => name, maxLength: 6 });

function float32Entry(name: string, values: readonly number[]): SafetensorsEntry & { data: Uint8Array } {
	const data = new Uint8Array(Float32Array.from(values).buffer);
	return { name, dtype: 'F32', shape: [values.length], data };
}

describe('safetensors', () => {
	test('every set of tensors and metadata survives writing and reading', () => {
		const metadataArbitrary = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true });
		fc.assert(
			fc.property(entriesArbitrary, metadataArbitrary, (entries, metadata) => {
				writeSafetensors(target, entries, metadata);
				const file = openSafetensors(target);
				expect(Object.fromEntries(file.metadata)).toEqual({ ...metadata });
				expect(file.tensors.size).toBe(entries.length);
				for (const { name, dtype, shape, data } of entries) {
					const tensor = file.tensors.get(name)!;
					expect(tensor).toMatchObject({ dtype, shape, byteLength: data.length });
					expect(tensor.byteOffset % bytesPerElement(dtype)).toBe(0);
					expect(file.read(name)).toEqual(data);
				}
				file.close();
			}),
			runsOf({ suite: 150, nightly: 10_000, seed: 1 }),
		);
	});

	test('the bytes of a file do not depend on the order of the entries', () => {
		fc.assert(
			fc.property(entriesArbitrary, (entries) => {
				writeSafetensors(target, entries, { b: '2', a: '1' });
				const once = readFileSync(target);
				writeSafetensors(target, [...entries].reverse(), { a: '1', b: '2' });
				expect(readFileSync(target).equals(once)).toBe(true);
			}),
			{ seed: 2, numRuns: 50 },
		);
	});

	test('a damaged file gives a typed error or is read, whatever was damaged', () => {
		const original = path.join(scratch, 'original.safetensors');
		writeSafetensors(original, [float32Entry('a', [1, 2, 3, 4]), float32Entry('b', [5, 6])], {
			format: 'pt',
		});
		const bytes = readFileSync(original);
		let refused = 0;
		fc.assert(
			fc.property(damaged(bytes), (copy) => {
				writeFileSync(target, copy);
				try {
					const file = openSafetensors(target);
					try {
						for (const [name, { byteLength }] of file.tensors)
							expect(file.read(name).length).toBe(byteLength);
					} finally {
						file.close();
					}
				} catch (error) {
					if (!(error instanceof VulntuneError)) throw error;
					refused++;
				}
			}),
			runsOf({ suite: 2000, nightly: 100_000, seed: 3 }),
		);
		expect(refused).toBeGreaterThan(1000);
	});

	test('reads a tensor from the disk when asked, not on opening', () => {
		writeSafetensors(target, [float32Entry('a', [1, 2]), float32Entry('b', [3, 4])]);
		const file = openSafetensors(target);
		truncateSync(target, file.tensors.get('b')!.byteOffset);
		expect(new Float32Array(file.read('a').buffer)).toEqual(Float32Array.of(1, 2));
		expect(thrownBy(() => file.read('b')).code).toBe('FILE_TRUNCATED');
		file.close();
		file.close();
		expect(thrownBy(() => file.read('a')).code).toBe('SAFETENSORS_CLOSED');
	});

	test('names what is missing', () => {
		writeSafetensors(target, [float32Entry('a', [1])]);
		const file = openSafetensors(target);
		expect(thrownBy(() => file.read('b'))).toMatchObject({ code: 'SAFETENSORS_NAME', place: target });
		file.close();
		expect(thrownBy(() => openSafetensors(path.join(scratch, 'absent'))).code).toBe('FILE_NOT_FOUND');
		expect(thrownBy(() => openSafetensors(scratch)).code).toBe('FILE_NOT_REGULAR');
	});

	test('asks for one tensor at a time when writing', () => {
		let asked = 0;
		const entries = ['a', 'b', 'c'].map((name, index) => ({
			...float32Entry(name, []),
			shape: [1],
			data: () => {
				expect(asked++).toBe(index);
				return new Uint8Array(4);
			},
		}));
		writeSafetensors(target, entries);
		expect(asked).toBe(3);
	});

	test('refuses entries that no file can hold, and leaves what stood there', () => {
		writeFileSync(target, 'before');
		const good = float32Entry('a', [1]);
		const bad: readonly SafetensorsEntry[][] = [
			[good, good],
			[{ ...good, name: '__metadata__' }],
			[{ ...good, name: '\ud800' }],
			[{ ...good, shape: [2] }],
			[{ ...good, shape: [-1] }],
			[{ ...good, shape: [0.5] }],
			[{ ...good, shape: [2 ** 52, 2] }],
		];
		for (const entries of bad) {
			expect(thrownBy(() => writeSafetensors(target, entries)).code).toBe('SAFETENSORS_ENTRY');
		}
		expect(readFileSync(target, 'utf8')).toBe('before');
		expect(readdirSync(scratch).filter((name) => name.endsWith('.partial'))).toEqual([]);
	});
});

describe('writeShardedSafetensors', () => {
	test('one file up to the limit, several with an index above it', () => {
		const entries = ['a', 'b', 'c'].map((name, index) => float32Entry(name, [index, index]));
		const single = path.join(scratch, 'single');
		mkdirSync(single);
		expect(writeShardedSafetensors(single, entries, { maxShardBytes: 24 })).toEqual(['model.safetensors']);

		const sharded = path.join(scratch, 'sharded');
		mkdirSync(sharded);
		const files = writeShardedSafetensors(sharded, entries, {
			maxShardBytes: 16,
			metadata: { format: 'pt' },
		});
		expect(files).toEqual([
			'model-00001-of-00002.safetensors',
			'model-00002-of-00002.safetensors',
			indexFileName,
		]);
		const index = JSON.parse(readFileSync(path.join(sharded, indexFileName), 'utf8'));
		expect(index).toEqual({
			metadata: { total_size: 24 },
			weight_map: { a: files[0], b: files[0], c: files[1] },
		});
		const last = openSafetensors(path.join(sharded, files[1]!));
		expect([...last.tensors.keys()]).toEqual(['c']);
		expect(last.metadata.get('format')).toBe('pt');
		last.close();

		expect(thrownBy(() => writeShardedSafetensors(sharded, entries)).code).toBe('MODEL_FOLDER_OCCUPIED');
	});

	test('a tensor larger than a shard has a file of its own', () => {
		const folder = path.join(scratch, 'large');
		mkdirSync(folder);
		const entries = [float32Entry('a', [1]), float32Entry('b', [1, 2, 3]), float32Entry('c', [1])];
		expect(writeShardedSafetensors(folder, entries, { maxShardBytes: 8 })).toHaveLength(4);
	});
});
