import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ownCommit } from './environment.ts';

it('is the commit of the clone that the program runs from, and of no other repository', () => {
	const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-commit-'));
	onTestFinished(() => rmSync(root, { recursive: true }));
	const [program, installed] = ['packages/vulntune', 'node_modules/vulntune'].map((name) => {
		const folder = path.join(root, name);
		mkdirSync(folder, { recursive: true });
		writeFileSync(path.join(folder, 'package.json'), '{}');
		return folder;
	});
	expect(ownCommit(program)).toBeNull();
	const git = (...argv: string[]) =>
		execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...argv], {
			cwd: root,
			encoding: 'utf8',
		});
	git('init', '-q');
	git('add', 'packages');
	git('commit', '-qm', 'first');
	const commit = git('rev-parse', 'HEAD').trim();
	expect(ownCommit(program)).toBe(commit);
	expect(ownCommit(installed)).toBeNull();
	writeFileSync(path.join(program!, 'package.json'), '{ }');
	expect(ownCommit(program)).toBe(`${commit}-dirty`);
});
