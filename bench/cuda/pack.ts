import { execFileSync } from 'node:child_process';
import {
	chmodSync,
	copyFileSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	rmSync,
	statSync,
	symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What runs the check, besides what it measures. */
const parts = [
	'package.json',
	'bench/cuda',
	'packages/engine/package.json',
	'packages/engine/src',
	'packages/engine/cuda',
	'packages/vulntune/package.json',
	'packages/vulntune/src',
	'packages/vulntune/bin',
	'packages/vulntune/assets',
	'tests/nightly',
	'tests/parity',
	'tests/golden/fixtures',
	'tests/backends.ts',
	'tests/shared.ts',
	'tests/tiny.ts',
];
/** What `native/cuda/variants/build.mjs` makes, where it was asked to. */
const variantsFolder = 'packages/engine/build/cuda-variants';
const mostBytes = 60 * 2 ** 20;

/** Asks Python where bitsandbytes lies. */
const whereBitsandbytes =
	"import importlib.util as u; s = u.find_spec('bitsandbytes'); print(s.submodule_search_locations[0] if s else '')";
/** The one of its libraries that the machine's PyTorch takes. */
const bitsandbytesLibrary = 'libbitsandbytes_cuda130.so';

/**
 * Makes a folder of at most 60 MiB that needs nothing but a driver, bash, tar and xz; PyTorch is measured beside where it is, and
 * bitsandbytes where VULNTUNE_PYTHON names a Python that has it.
 */
export function packCheck(folder: string): void {
	const work = mkdtempSync(path.join(tmpdir(), 'vulntune-pack-'));
	try {
		mkdirSync(folder, { recursive: true });
		const app = path.join(work, 'app');
		assembleCheck(app);
		copyBitsandbytes(path.join(app, 'peers'));
		run('tar', ['-cJf', path.resolve(folder, 'app.tar.xz'), '-C', work, 'app']);
		const node = path.join(work, 'node');
		copyFileSync(process.execPath, node);
		run('strip', [node]);
		run('xz', ['-T0', '-6', node]);
		copyFileSync(`${node}.xz`, path.join(folder, 'node.xz'));
		copyFileSync(path.join(root, 'bench/cuda/run.sh'), path.join(folder, 'run.sh'));
		chmodSync(path.join(folder, 'run.sh'), 0o755);
	} finally {
		rmSync(work, { recursive: true, force: true });
	}
	const bytes = ['app.tar.xz', 'node.xz', 'run.sh'].reduce(
		(sum, name) => sum + statSync(path.join(folder, name)).size,
		0,
	);
	if (bytes > mostBytes) throw new Error(`${folder} has ${bytes} bytes, more than ${mostBytes}`);
	console.log(`${folder}: ${(bytes / 2 ** 20).toFixed(1)} MiB; on the machine with the card: bash run.sh`);
}

/** What the check runs from: our sources and the packages that they need. */
export function assembleCheck(app: string): void {
	const built = existsSync(path.join(root, variantsFolder)) ? [variantsFolder] : [];
	for (const part of [...parts, ...built])
		cpSync(path.join(root, part), path.join(app, part), { recursive: true });
	copyDependencies(app);
}

/** The packages that run-time code needs, and ours where Node looks for them. */
function copyDependencies(app: string): void {
	const list = run('npm', ['ls', '--omit=dev', '--all', '--parseable']).split('\n');
	const modules = path.join(root, 'node_modules') + path.sep;
	for (const location of list.filter((line) => line.startsWith(modules))) {
		const name = location.slice(modules.length);
		if (/^(vulntune|@vulntune\/)/.test(name)) continue;
		cpSync(location, path.join(app, 'node_modules', name), { recursive: true });
	}
	mkdirSync(path.join(app, 'node_modules/@vulntune'), { recursive: true });
	symlinkSync('../../packages/engine', path.join(app, 'node_modules/@vulntune/engine'));
	symlinkSync('../packages/vulntune', path.join(app, 'node_modules/vulntune'));
}

function copyBitsandbytes(folder: string): void {
	const python = process.env.VULNTUNE_PYTHON;
	if (!python) {
		console.log('without bitsandbytes: VULNTUNE_PYTHON names no Python');
		return;
	}
	const from = run(python, ['-c', whereBitsandbytes]).trim();
	if (from === '') {
		console.log(`without bitsandbytes: ${python} has none`);
		return;
	}
	cpSync(from, path.join(folder, 'bitsandbytes'), {
		recursive: true,
		filter: (file) => !/\.(so|dll|pyc)$/.test(file) || path.basename(file) === bitsandbytesLibrary,
	});
}

function run(command: string, args: readonly string[]): string {
	return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
