import fs, {
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { openPlannedSafetensors } from './planned-files.ts';
import { openSafetensors } from './reader.ts';
import { writeShardedSafetensors } from './sharded.ts';
import type { SafetensorsEntry } from './writer.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-planned-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let folders = 0;
function newFolder(): string {
	const folder = path.join(scratch, String(folders++));
	mkdirSync(folder);
	return folder;
}

const bytesOf = (length: number, first: number) => Uint8Array.from({ length }, (_, index) => first + index);
const entries = [
	{ name: 'codes', dtype: 'U8', shape: [5, 1], data: bytesOf(5, 1) },
	{ name: 'absmax', dtype: 'F32', shape: [2], data: bytesOf(8, 20) },
	{ name: 'norm', dtype: 'F16', shape: [3], data: bytesOf(6, 40) },
	{ name: 'empty', dtype: 'F32', shape: [0], data: new Uint8Array() },
] as const satisfies readonly SafetensorsEntry[];

test.each([1000, 10])(
	'tensors in any order, and in parts, give the files that are written in order (%i bytes each)',
	async (maxShardBytes) => {
		const options = { metadata: { format: 'pt' }, maxShardBytes };
		const [expected, found] = [newFolder(), newFolder()];
		const names = writeShardedSafetensors(expected, entries, options);
		const files = await openPlannedSafetensors(found, entries, options);
		await files.write('norm', entries[2].data.subarray(4), 4);
		await Promise.all([files.write('codes', entries[0].data), files.write('absmax', entries[1].data)]);
		expect(readdirSync(found).every((name) => name.endsWith('.partial'))).toBe(true);
		await files.write('norm', entries[2].data.subarray(0, 4));
		expect(files.finish()).toEqual(names);
		files.discard();
		expect(readdirSync(found).sort()).toEqual([...names].sort());
		for (const name of names) {
			expect(readFileSync(path.join(found, name)), name).toEqual(readFileSync(path.join(expected, name)));
		}
	},
);

test('what is not whole is not named, and nothing of it stays', async () => {
	const folder = newFolder();
	const files = await openPlannedSafetensors(folder, entries);
	await files.write('codes', entries[0].data);
	await expect(files.write('norm', bytesOf(6, 0), 1)).rejects.toThrow(RangeError);
	await expect(files.write('other', bytesOf(1, 0))).rejects.toThrow(RangeError);
	expect(() => files.finish()).toThrow(
		expect.objectContaining({ code: 'SAFETENSORS_ENTRY', place: expect.stringContaining('absmax') }),
	);
	files.discard();
	files.discard();
	expect(readdirSync(folder)).toEqual([]);
	writeShardedSafetensors(folder, entries);
	const occupied = { code: 'MODEL_FOLDER_OCCUPIED' };
	await expect(openPlannedSafetensors(folder, entries)).rejects.toMatchObject(occupied);
	await expect(openPlannedSafetensors(path.join(folder, 'none'), entries)).rejects.toMatchObject({
		code: 'FILE_NOT_FOUND',
	});
	expect(readdirSync(folder)).toEqual(['model.safetensors']);
});

test('where one of several files can’t be opened, none of the others stays', async () => {
	const folder = newFolder();
	const occupied = `model-00002-of-00003.safetensors.${process.pid}.partial`;
	writeFileSync(path.join(folder, occupied), '');
	const opening = openPlannedSafetensors(folder, entries, { maxShardBytes: 10 });
	await expect(opening).rejects.toMatchObject({ code: 'EEXIST' });
	expect(readdirSync(folder)).toEqual([occupied]);
});

test('a file lies on the disk before it has its name', async () => {
	const files = await openPlannedSafetensors(newFolder(), entries.slice(0, 3), { maxShardBytes: 10 });
	for (const { name, data } of entries) if (data.length > 0) await files.write(name, data);
	onTestFinished(() => {
		vi.restoreAllMocks();
		syncBuiltinESMExports();
	});
	const calls: string[] = [];
	const { fsyncSync, renameSync } = fs;
	vi.spyOn(fs, 'fsyncSync').mockImplementation((descriptor) => {
		calls.push('flush');
		fsyncSync(descriptor);
	});
	vi.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
		calls.push(path.basename(String(to)));
		renameSync(from, to);
	});
	syncBuiltinESMExports();
	const names = files.finish();
	expect(names).toHaveLength(4);
	for (const name of names) expect(calls[calls.indexOf(name) - 1], name).toBe('flush');
});

test('a tensor is read into memory of its length, or named as cut off', async () => {
	const folder = newFolder();
	writeShardedSafetensors(folder, entries);
	const file = path.join(folder, 'model.safetensors');
	const open = openSafetensors(file);
	const target = new Uint8Array(6);
	await open.readInto('norm', target);
	expect(target).toEqual(entries[2].data);
	await expect(open.readInto('codes', target)).rejects.toThrow(RangeError);
	truncateSync(file, open.tensors.get('codes')!.byteOffset + 2);
	await expect(open.readInto('codes', new Uint8Array(5))).rejects.toMatchObject({ code: 'FILE_TRUNCATED' });
	open.close();
	await expect(open.readInto('norm', target)).rejects.toMatchObject({ code: 'SAFETENSORS_CLOSED' });
});
