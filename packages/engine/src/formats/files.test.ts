import { execFileSync } from 'node:child_process';
import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { VulntuneError } from '../errors.ts';
import { fileError } from './file-errors.ts';
import { makeFolder, readSmallFile, writeFileAtomically } from './files.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-files-'));
afterAll(() => rmSync(scratch, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

const target = path.join(scratch, 'target');

function systemError(code: string): Error {
	return Object.assign(new Error(`${code}: simulated`), { code });
}

test.each([
	['ENOSPC', 'DISK_FULL', 'resources'],
	['EDQUOT', 'DISK_FULL', 'resources'],
	['EIO', 'DISK_FAILURE', 'resources'],
	['EACCES', 'FILE_FORBIDDEN', 'input'],
	['ENOENT', 'FILE_NOT_FOUND', 'input'],
])('%s becomes %s', (systemCode, code, kind) => {
	const error = fileError(systemError(systemCode), target, 'written');
	expect(error).toBeInstanceOf(VulntuneError);
	expect(error).toMatchObject({ code, kind, place: target });
});

test('leaves errors that are no failure of the file system alone', () => {
	const error = new TypeError('a mistake of ours');
	expect(fileError(error, target, 'read')).toBe(error);
	const unknown = systemError('ESTRANGE');
	expect(fileError(unknown, target, 'read')).toBe(unknown);
});

test('a failure half-way leaves the old file and no temporary one', () => {
	writeFileSync(target, 'before');
	const write = () =>
		writeFileAtomically(target, (append) => {
			append(Buffer.from('half'));
			throw systemError('ENOSPC');
		});
	expect(write).toThrow(expect.objectContaining({ code: 'DISK_FULL', kind: 'resources' }));
	expect(readFileSync(target, 'utf8')).toBe('before');
	expect(readdirSync(scratch)).toEqual(['target']);
});

test('replaces the old file', () => {
	writeFileSync(target, 'before');
	writeFileAtomically(target, (append) => {
		append(Buffer.from('after'));
		append(Buffer.from('wards'));
	});
	expect(readFileSync(target, 'utf8')).toBe('afterwards');
	expect(readdirSync(scratch)).toEqual(['target']);
});

test('writing into a folder that does not exist names the path', () => {
	const absent = path.join(scratch, 'absent', 'file');
	expect(() => writeFileAtomically(absent, () => {})).toThrow(
		expect.objectContaining({ code: 'FILE_NOT_FOUND', place: absent }),
	);
});

test.skipIf(!fs.existsSync('/dev/full'))('a device is refused where a file is expected', () => {
	expect(() => readSmallFile('/dev/full', 10)).toThrow(expect.objectContaining({ code: 'FILE_NOT_REGULAR' }));
});

test.skipIf(process.platform === 'win32')('a pipe is refused at once, and so is a circle of links', () => {
	const pipe = path.join(scratch, 'pipe');
	execFileSync('mkfifo', [pipe]);
	expect(() => readSmallFile(pipe, 10)).toThrow(expect.objectContaining({ code: 'FILE_NOT_REGULAR' }));
	const link = path.join(scratch, 'link');
	symlinkSync(link, link);
	expect(() => readSmallFile(link, 10)).toThrow(
		expect.objectContaining({ code: 'FILE_NOT_FOUND', place: link }),
	);
	rmSync(pipe);
	rmSync(link);
});

test('refuses a small file that is large', () => {
	writeFileSync(target, '0123456789');
	expect(readSmallFile(target, 10)).toHaveLength(10);
	expect(() => readSmallFile(target, 9)).toThrow(expect.objectContaining({ code: 'FILE_TOO_LARGE' }));
});

test('makes a folder with all that is missing above it, and leaves one that is there', () => {
	const folder = path.join(scratch, 'a', 'b', 'c');
	makeFolder(folder);
	writeFileSync(path.join(folder, 'kept'), '');
	makeFolder(folder);
	expect(readdirSync(folder)).toEqual(['kept']);
});

test('refuses a folder where something else lies', () => {
	writeFileSync(target, '');
	for (const folder of [target, path.join(target, 'below', 'more')]) {
		expect(() => makeFolder(folder)).toThrow(expect.objectContaining({ code: 'FOLDER_REFUSED' }));
	}
});

test.skipIf(!fs.existsSync('/proc'))('returns where a file system answers ENOENT to every new folder', () => {
	expect(() => makeFolder('/proc/x/y')).toThrow(
		expect.objectContaining({ code: 'FOLDER_REFUSED', place: '/proc/x' }),
	);
});
