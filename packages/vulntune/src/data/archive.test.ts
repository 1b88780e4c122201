import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { Header } from 'tar';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runsOf } from '../../../../tests/nightly/nightly.ts';
import { readArchive } from './archive.ts';

let folder: string;
beforeEach(async () => {
	folder = await mkdtemp(path.join(os.tmpdir(), 'vulntune-archive-'));
});
afterEach(() => rm(folder, { recursive: true }));

interface Entry {
	readonly name: string;
	readonly content?: string | Buffer;
	readonly type?: 'File' | 'SymbolicLink' | 'Link' | 'FIFO' | 'Directory' | 'CharacterDevice';
	readonly linkpath?: string;
}

function tarOf(...entries: Entry[]): Buffer {
	const blocks = entries.flatMap(({ name, content = '', type = 'File', linkpath }) => {
		const body = Buffer.from(content);
		const block = Buffer.alloc(512);
		const link = linkpath === undefined ? {} : { linkpath };
		new Header({ path: name, type, size: body.length, mode: 0o644, mtime: new Date(0), ...link }).encode(
			block,
		);
		return [block, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
	});
	return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

async function read(bytes: Uint8Array, limits = {}): Promise<Map<string, Buffer>> {
	const file = path.join(folder, 'data.tar.gz');
	await writeFile(file, bytes);
	return readArchive(file, ['train.jsonl', 'test.jsonl'], limits);
}

const train = { name: 'data/train.jsonl', content: 'rows of train\n' };

describe('a .tar.gz', () => {
	it('gives the wanted files in whatever folder they lie, and writes nothing', async () => {
		const bytes = tarOf(
			{ name: 'data/', type: 'Directory' },
			train,
			{ name: 'data/README.md', content: 'x'.repeat(3000) },
			{ name: './test.jsonl', content: '' },
		);
		const files = await read(gzipSync(bytes));
		expect([...files].map(([name, content]) => [name, content.toString()])).toEqual([
			['train.jsonl', 'rows of train\n'],
			['test.jsonl', ''],
		]);
		expect(await readdir(folder)).toEqual(['data.tar.gz']);
	});

	it.each<[string, Entry]>([
		['a path upwards', { name: '../../evil.jsonl', content: 'x' }],
		['a path upwards with backslashes', { name: 'a\\..\\..\\evil', content: 'x' }],
		['an absolute path', { name: '/etc/passwd', content: 'x' }],
		['a drive', { name: 'C:\\evil', content: 'x' }],
		['a symbolic link', { name: 'data/valid.jsonl', type: 'SymbolicLink', linkpath: '/etc/passwd' }],
		['a hard link', { name: 'data/valid.jsonl', type: 'Link', linkpath: 'data/train.jsonl' }],
		['a pipe', { name: 'data/valid.jsonl', type: 'FIFO' }],
		['a device', { name: 'data/valid.jsonl', type: 'CharacterDevice' }],
		['the same name in other letter case', { name: 'DATA/TRAIN.jsonl', content: 'x' }],
		['a wanted file twice', { name: 'other/train.jsonl', content: 'x' }],
	])('is refused where it holds %s', async (_, entry) => {
		await expect(read(gzipSync(tarOf(train, entry)))).rejects.toMatchObject({
			code: 'ARCHIVE_UNSAFE',
			kind: 'input',
		});
	});

	it('is refused beyond the limits of bytes, entries and compression', async () => {
		const bytes = gzipSync(tarOf(train, { name: 'test.jsonl', content: 'y' }));
		await expect(read(bytes, { maxBytes: 14 })).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE' });
		await expect(read(bytes, { maxBytes: 15, maxEntries: 2 })).resolves.toBeDefined();
		await expect(read(bytes, { maxEntries: 1 })).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE' });
		const bomb = gzipSync(tarOf(train, { name: 'zeros', content: Buffer.alloc(64 * 2 ** 20) }), { level: 9 });
		await expect(read(bomb)).rejects.toMatchObject({ code: 'ARCHIVE_TOO_LARGE' });
	});

	it('is refused where it is cut short or not an archive', async () => {
		const whole = gzipSync(tarOf({ ...train, content: String(Array.from({ length: 5000 }, Math.sqrt)) }));
		for (const bytes of [
			whole.subarray(0, whole.length >> 1),
			Buffer.from('not an archive'),
			Buffer.alloc(0),
		]) {
			await expect(read(bytes)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' });
		}
	});

	it('gives files or a typed error whatever bytes are changed, before or after compression', async () => {
		const plain = tarOf(train, { name: 'test.jsonl', content: 'rows of test\n' });
		const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
		const property = fc.asyncProperty(changes, fc.boolean(), async (edits, isCompressed) => {
			const bytes = Buffer.from(isCompressed ? gzipSync(plain) : plain);
			for (const [position, value] of edits) bytes[position % bytes.length] = value;
			const code = await read(isCompressed ? bytes : gzipSync(bytes)).then(
				() => 'read',
				(error: { code: string }) => error.code,
			);
			expect(code).toMatch(/^(read|ARCHIVE_[A-Z_]+)$/);
		});
		await fc.assert(property, runsOf({ suite: 2000, nightly: 100_000, seed: 1 }));
	});
});
