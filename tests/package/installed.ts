import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../e2e/command-line.ts';

const execute = promisify(execFile);

interface ProgramOptions {
	readonly cwd: string;
	/** Default: the programs without a compiler. */
	readonly PATH?: string;
	readonly env?: Readonly<Record<string, string>>;
}

/** Programs on a PATH that has no compiler; returns stdout, throws with stderr. */
export interface Programs {
	readonly run: (program: string, argv: readonly string[], options: ProgramOptions) => Promise<string>;
}

/** Makes a folder of programs that has what npm needs, and no compiler. */
export function programsWithoutCompiler(folder: string): Programs {
	mkdirSync(folder);
	symlinkSync(process.execPath, path.join(folder, 'node'));
	for (const name of ['npm', 'npx', 'sh', 'env']) symlinkSync(located(name), path.join(folder, name));
	return {
		async run(program, argv, { cwd, PATH = folder, env = {} }) {
			const options = { cwd, env: { ...machine(), PATH, ...env }, maxBuffer: 1 << 26 };
			try {
				return (await execute(path.join(folder, program), [...argv], options)).stdout;
			} catch (error) {
				const { stdout, stderr } = error as { stdout: string; stderr: string };
				throw new Error(`${program} ${argv.join(' ')}\n${stdout}${stderr}`, { cause: error });
			}
		},
	};
}

/** The environment without what the npm that runs the tests has put there about the clone. */
function machine(): NodeJS.ProcessEnv {
	const isNpms = (name: string) =>
		/^(npm_(lifecycle|package|command|config_local_prefix)|INIT_CWD)/.test(name);
	return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isNpms(name)));
}

function located(program: string): string {
	const places = (process.env.PATH ?? '').split(path.delimiter).map((place) => path.join(place, program));
	const found = places.find((file) => existsSync(file));
	if (found === undefined) throw new Error(`${program} is not on the PATH`);
	return realpathSync(found);
}

/** What of a clone its tarballs are made from. */
const sources = ['packages', 'scripts', 'configs', 'LICENSE', 'package.json', 'tsconfig.json'];

/** Packs both packages in a copy of the clone, since other tests run from the clone meanwhile. Returns the tarballs. */
export async function packPackages(folder: string, { run }: Programs): Promise<string[]> {
	for (const name of sources) {
		cpSync(path.join(projectRoot, name), path.join(folder, name), {
			recursive: true,
			filter: (file) => !/\/(node_modules|build|dist)$/.test(file),
		});
	}
	symlinkSync(path.join(projectRoot, 'node_modules'), path.join(folder, 'node_modules'));
	const packed = await run('npm', ['pack', '--workspaces', '--json'], { cwd: folder });
	const tarballs: { filename: string }[] = Object.values(JSON.parse(packed));
	return tarballs.map(({ filename }) => path.join(folder, filename));
}
