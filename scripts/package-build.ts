/**
 * What `npm pack` does in a package's folder beyond packing. In a clone everything runs from `src/*.ts`; Node strips no types
 * inside `node_modules`, so a tarball holds JavaScript and declarations in `dist/`, laid out as `src/` is.
 */
import { execFileSync } from 'node:child_process';
import {
	cpSync,
	existsSync,
	globSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { createRequire, stripTypeScriptTypes } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

/** What a package has from the root of the clone while it is packed. */
const borrowed = ['LICENSE', 'configs'];

interface Manifest {
	readonly exports: Readonly<Record<string, string>>;
	readonly files: readonly string[];
	readonly scripts: Readonly<Record<string, string>>;
}

/** Makes a package's folder what its tarball should hold; `restorePackage` takes it back. */
export function preparePackage(folder: string): void {
	restorePackage(folder);
	const source = readFileSync(path.join(folder, 'package.json'), 'utf8');
	const manifest: Manifest = JSON.parse(source);
	writeDeclarations(folder);
	writeModules(folder);
	for (const name of borrowed.filter((name) => name === 'LICENSE' || manifest.files.includes(name))) {
		cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
	}
	// last: from here on the package's name leads to what was built
	writeFileSync(keptManifest(folder), source);
	writeFileSync(
		path.join(folder, 'package.json'),
		`${JSON.stringify(publishedManifest(manifest), null, '\t')}\n`,
	);
}

/** Takes a folder back to what git holds; also after a packing that was cut short. */
export function restorePackage(folder: string): void {
	const kept = keptManifest(folder);
	if (existsSync(kept)) renameSync(kept, path.join(folder, 'package.json'));
	for (const name of ['dist', ...borrowed]) rmSync(path.join(folder, name), { recursive: true, force: true });
}

const keptManifest = (folder: string) => path.join(folder, 'package.json.clone');

/** The exports of a clone, `./src/x.ts`, as an installed package has them. */
export function publishedManifest(manifest: Manifest): object {
	const exported = Object.entries(manifest.exports).map(([name, file]) => {
		if (!file.endsWith('.ts')) return [name, file];
		const built = file.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '');
		return [name, { types: `${built}.d.ts`, default: `${built}.js` }];
	});
	const { prepack: _before, postpack: _after, ...scripts } = manifest.scripts;
	return { ...manifest, scripts, exports: Object.fromEntries(exported) };
}

/** Modules that a text names by relative paths, in imports or URLs, with the ending that they are built with. */
function builtReferences(text: string): string {
	return text.replace(/(['"])(\.\.?\/[^'"\n]*)\.ts\1/g, '$1$2.js$1');
}

/** Both packages are compiled as one program, since either's `src` may name the other's; this folder's part is kept. */
function writeDeclarations(folder: string): void {
	const built = mkdtempSync(path.join(os.tmpdir(), 'vulntune-declarations-'));
	try {
		const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
		const flags = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly'];
		execFileSync(
			process.execPath,
			[
				...[
					path.join(path.dirname(compiler), 'bin/tsc'),
					'--project',
					path.join(root, 'scripts/tsconfig.json'),
				],
				...[...flags, '--outDir', built],
			],
			{ stdio: ['ignore', 'inherit', 'inherit'] },
		);
		const declarations = path.join(built, path.relative(path.join(root, 'packages'), folder), 'src');
		for (const file of globSync('**/*.d.ts', { cwd: declarations })) {
			const target = path.join(folder, 'dist', file);
			mkdirSync(path.dirname(target), { recursive: true });
			writeFileSync(target, builtReferences(readFileSync(path.join(declarations, file), 'utf8')));
		}
	} finally {
		rmSync(built, { recursive: true, force: true });
	}
}

/** Types become blanks: what runs is the source, line for line. A module is built where it has a declaration. */
function writeModules(folder: string): void {
	for (const declaration of globSync('**/*.d.ts', { cwd: path.join(folder, 'dist') })) {
		const module = declaration.replace(/\.d\.ts$/, '');
		const source = readFileSync(path.join(folder, 'src', `${module}.ts`), 'utf8');
		writeFileSync(path.join(folder, 'dist', `${module}.js`), builtReferences(stripTypeScriptTypes(source)));
	}
}
