import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimRunFolder, refuseExistingRun, refuseOwnSources, runFolder } from './run-folder.ts';

let root: string;
beforeEach(() => {
	root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-run-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const resume = { resume: true, overwrite: false };
const overwrite = { resume: false, overwrite: true };
const neither = { resume: false, overwrite: false };

function write(...names: string[]): void {
	for (const name of names) {
		mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
		writeFileSync(path.join(root, name), name);
	}
}

/** What tells a run from other folders. */
function writeEnvironment(): void {
	writeFileSync(path.join(root, 'environment.json'), '{"vulntune": "0.1.0"}');
}

const filesIn = (folder: string) =>
	readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => entry.name)
		.toSorted();

describe('a run folder', () => {
	it('is cleared of what a killed process left half written, and of nothing else', async () => {
		writeEnvironment();
		write('config.yaml', 'my.partial', 'checkpoints/step-1/parameters.f32', 'adapter/vulntune.json');
		const kept = filesIn(root);
		write(
			'metrics.jsonl.12-0123abcd.partial',
			'adapter/vulntune.json.12-0123abcd.partial',
			'checkpoints/step-2-0123abcd.partial/parameters.f32',
		);
		await claimRunFolder(runFolder(root), resume, () => {});
		expect(filesIn(root)).toEqual(kept);
		expect(readdirSync(path.join(root, 'checkpoints'))).toEqual(['step-1']);
	});

	it("loses the old run's files to overwrite, and nothing else", async () => {
		writeEnvironment();
		write('config.yaml', 'metrics.jsonl', 'checkpoints/step-1/state.json', 'notes.txt');
		await claimRunFolder(runFolder(root), overwrite, () => {});
		expect(filesIn(root)).toEqual(['notes.txt']);
	});

	it.each([
		'README.md',
		'config.yaml',
		'environment.json',
		'adapter/mine.txt',
		'checkpoints/mine',
		'metrics.jsonl',
	])("is refused where it is no run but has another's %s that a run would write over", async (name) => {
		write(name, 'notes.txt');
		const before = filesIn(root);
		for (const mode of [neither, resume, overwrite]) {
			const claim = claimRunFolder(runFolder(root), mode, () => expect.fail('claimed'));
			const message = expect.stringContaining(name.split('/')[0]!);
			await expect(claim).rejects.toMatchObject({ code: 'OUTPUT_TAKEN', message });
		}
		expect(filesIn(root)).toEqual(before);
	});

	it('is not replaced by a run that is made of what it holds, by whatever link', () => {
		write('environment.json', 'adapter/model.safetensors', 'train.jsonl');
		const folder = runFolder(root);
		const link = path.join(root, 'link');
		symlinkSync(path.join(root, 'adapter'), link);
		for (const source of [
			link,
			path.join(root, 'adapter'),
			path.join(root, 'adapter', 'model.safetensors'),
		]) {
			const taken = () => refuseOwnSources(folder, overwrite, ['elsewhere', source]);
			expect(taken).toThrow(/which the new one is made of/);
			refuseOwnSources(folder, resume, [source]);
		}
		refuseOwnSources(folder, overwrite, [root, path.join(root, 'train.jsonl'), `${root}/adapter-2`]);
	});

	it('is held until its work has ended, well or not', async () => {
		const folder = runFolder(root);
		const nested = claimRunFolder(folder, neither, () => claimRunFolder(folder, overwrite, () => {}));
		await expect(nested).rejects.toMatchObject({ code: 'RUN_HELD' });
		const held = await claimRunFolder(folder, neither, () => {
			expect(() => refuseExistingRun(folder, overwrite)).toThrow(/is computing this run/);
			return filesIn(root);
		});
		expect(held).toEqual(['run.lock']);
		expect(filesIn(root)).toEqual([]);
	});

	it('is refused where it holds a run, or is no folder', () => {
		writeEnvironment();
		write('metrics.jsonl');
		expect(() => refuseExistingRun(runFolder(root), neither)).toThrow(/--resume/);
		expect(() => refuseExistingRun(runFolder(root), resume)).not.toThrow();
		const file = path.join(root, 'metrics.jsonl');
		expect(() => refuseExistingRun(runFolder(file), overwrite)).toThrow(/a folder is expected/);
		expect(() => refuseExistingRun(runFolder(path.join(root, 'new')), neither)).not.toThrow();
	});
});
