import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/tiny.ts';
import { spellCommands, spelledCommand } from './spelled-command.ts';

const folder = temporaryFolder();
const caller = { env: { PATH: '/nowhere' }, file: '/clone/bin/vulntune.mjs', workingFolder: '/clone' };

it('is npx where npm started it, whatever npm put on the path', () => {
	writeFileSync(path.join(folder, 'vulntune'), '');
	expect(spelledCommand({ ...caller, env: { npm_command: 'exec', PATH: folder } })).toBe('npx vulntune');
	expect(spelledCommand({ ...caller, env: { npm_command: 'run-script' } })).toBe('npx vulntune');
});

it('is the bare name where that is on the path, else the file', () => {
	writeFileSync(path.join(folder, 'vulntune'), '');
	expect(spelledCommand({ ...caller, env: { PATH: `/nowhere${path.delimiter}${folder}` } })).toBe('vulntune');
	expect(spelledCommand(caller)).toBe(`node ${path.join('bin', 'vulntune.mjs')}`);
});

it('stands wherever a text names a command, and nowhere else', () => {
	const text =
		'Run vulntune train a.yaml, or `vulntune --help`; npx vulntune doctor. vulntune is a tool, vulntune.json a file.';
	expect(spellCommands(text, 'npx vulntune', ['train', 'doctor'])).toBe(
		'Run npx vulntune train a.yaml, or `npx vulntune --help`; npx vulntune doctor. vulntune is a tool, vulntune.json a file.',
	);
});
