/** Both packages as a user gets them: packed, installed outside the clone, run, imported, compiled against. */
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadNative } from '@vulntune/engine/backends/cpu/native.ts';
import { beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../e2e/command-line.ts';
import { createProject } from '../e2e/project.ts';
import { writeTinyDataset, writeTinyModel } from '../tiny.ts';
import { packPackages, programsWithoutCompiler } from './installed.ts';

const { root, inside } = createProject({ train: 4, valid: 4, test: 4 });
const programs = programsWithoutCompiler(inside('programs'));
const cwd = inside('user');
const installed = (name: string) => path.join(cwd, 'node_modules', name);
/** What npx starts, without the time that npx takes. */
const vulntune = (...argv: string[]) =>
	programs.run('node', ['node_modules/vulntune/bin/vulntune.mjs', ...argv], { cwd });

beforeAll(async () => {
	const tarballs = await packPackages(inside('clone'), programs);
	mkdirSync(cwd);
	writeFileSync(path.join(cwd, 'package.json'), '{ "private": true, "type": "module" }');
	const quick = ['--prefer-offline', '--no-audit', '--no-fund'];
	await programs.run('npm', ['install', ...quick, ...tarballs], { cwd });
}, 180_000);

/** Writes programs where the packages are installed, and checks their types against those of the packages. */
async function checkedPrograms(programsByFile: Readonly<Record<string, string>>): Promise<void> {
	for (const [file, text] of Object.entries(programsByFile)) writeFileSync(path.join(cwd, file), text);
	const compilerOptions = {
		...{ module: 'nodenext', target: 'es2024', lib: ['es2024'], strict: true, noEmit: true },
		...{ types: ['node'], typeRoots: [path.join(projectRoot, 'node_modules/@types')] },
	};
	const files = Object.keys(programsByFile);
	writeFileSync(path.join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
	const compiler = path.join(projectRoot, 'node_modules/typescript/bin/tsc');
	expect(await programs.run('node', [compiler, '--project', '.', '--pretty', 'false'], { cwd })).toBe('');
}

/** The TypeScript that a document shows. */
function shownPrograms(document: string): string[] {
	const text = readFileSync(path.join(projectRoot, document), 'utf8');
	return [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);
}

describe('the installed packages', () => {
	it('hold what was built and nothing that only tests need', () => {
		for (const name of ['vulntune', '@vulntune/engine']) {
			const files = globSync('**/*', { cwd: installed(name), exclude: ['build/**'] });
			expect(files.filter((file) => /\.test\.|(?<!\.d)\.ts$|package\.json\.clone/.test(file))).toEqual([]);
			expect(files).toEqual(
				expect.arrayContaining(['LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts']),
			);
			const manifest = JSON.parse(readFileSync(path.join(installed(name), 'package.json'), 'utf8'));
			expect(manifest.exports['.'].default).toBe('./dist/index.js');
			for (const file of globSync('dist/**/*.js', { cwd: installed(name) })) {
				const text = readFileSync(path.join(installed(name), file), 'utf8');
				expect(text, file).not.toMatch(/(['"])\.\.?\/[^'"\n]*\.ts\1/);
			}
		}
	});

	it('run in WebAssembly where there is no compiler, and say why', async () => {
		const report = JSON.parse(await programs.run('npx', ['vulntune', 'doctor', '--json'], { cwd }));
		expect(report).toMatchObject({ backend: 'wasm', wasmFailure: null });
		expect(report.nativeFailure.details).toContain('no C++ compiler found');
	});

	it('train and evaluate from the command line', async () => {
		const config = path.join(root, 'config.yaml');
		const flags = ['--training.epochs', '1', '--backend', 'auto', '--output', 'run', '--json'];
		expect(JSON.parse(await vulntune('train', config, ...flags))).toMatchObject({ status: 'finished' });
		expect(JSON.parse(await vulntune('evaluate', 'run', '--json'))).toMatchObject({ split: 'test' });
		expect(readFileSync(path.join(cwd, 'run/report.html'), 'utf8')).toContain('</svg>');
	});

	it('hold the configs that can be started from', async () => {
		const plan = ['--model', inside('model'), '--data.path', inside('data'), '--dry-run', '--json'];
		const config = 'node_modules/vulntune/configs/smollm2-x1.yaml';
		expect(JSON.parse(await vulntune('train', config, ...plan))).toMatchObject({ model: { layers: 2 } });
	});

	it('do what the documents show in TypeScript', async () => {
		writeTinyModel(path.join(cwd, 'models/smollm2-135m'));
		writeTinyDataset(path.join(cwd, 'data/x1'), { train: 4, valid: 4, test: 4 });
		const [fineTuning, engine] = shownPrograms('packages/engine/README.md');
		const [first, errors, reading] = shownPrograms('docs/typescript.md');
		expect(fineTuning!.trimEnd().split('\n').length).toBeLessThanOrEqual(30);
		const wrong = `import { createBackend } from '@vulntune/engine';
const backend = createBackend({ type: 'auto', isa: 'auto', threads: 'auto' }, console.warn);
// @ts-expect-error a backend's name is a text: the declarations are found
export const name: number = backend.name;
`;
		await checkedPrograms({
			'fine-tuning.ts': fineTuning!,
			'engine.ts': engine!,
			'first.ts': first!,
			'errors.ts': errors!,
			'reading.ts': reading!,
			'wrong.ts': wrong,
		});
		const run = (file: string) => programs.run('node', [file], { cwd });
		expect(await run('fine-tuning.ts')).toMatch(/ROC AUC: [\d.]+\n.*report\.html\nqlora [\d.]+\n/s);
		expect(await run('reading.ts')).toMatch(/^[12] [\d.]+\n(\d+ [01] [\d.]+\n){4}[\d.]+\n$/);
		expect(await run('engine.ts')).toMatch(/^\[ \d+, 32 \] Float32Array\(4\)/);
	});

	it.skipIf(loadNative().addon === undefined)(
		'build the native kernels where there is a compiler (skipped without one)',
		async () => {
			// compiled files are taken over from the clone, so that the build has only to find and link them
			const build = `build/${process.platform}-${process.arch}`;
			for (const object of globSync('*.o', { cwd: path.join(projectRoot, 'packages/engine', build) })) {
				const file = path.join(build, object);
				cpSync(
					path.join(projectRoot, 'packages/engine', file),
					path.join(installed('@vulntune/engine'), file),
				);
			}
			const PATH = process.env.PATH!;
			await programs.run('npm', ['rebuild', '@vulntune/engine'], { cwd, PATH });
			expect(JSON.parse(await vulntune('doctor', '--json'))).toMatchObject({
				backend: 'cpu',
				nativeFailure: null,
			});
		},
	);
});
