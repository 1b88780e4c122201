import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { describe, expect, it } from 'vitest';
import type { CommandResult } from '../terminal/context.ts';
import { type CommandDefinition, runCommandLine } from './program.ts';

async function run(
	argv: string[],
	result: CommandResult | Error = { data: { value: 1 }, text: 'value 1' },
	command?: string,
) {
	const seen = { stdout: '', stderr: '' };
	const terminal = {
		stdout: (text: string) => void (seen.stdout += text),
		stderr: (text: string) => void (seen.stderr += text),
		isInteractive: false,
		columns: 80,
	};
	const definition: CommandDefinition = (program, runCommand) => {
		program
			.command('train')
			.option('--epochs <n>', 'passes')
			.option(
				'--training.learningRate <n>',
				'highest learning rate of all that are taken, which is a long description',
			)
			.option('--some.seed <n>')
			.option('--other.seed <n>')
			.addHelpText('after', '\nExamples:\n  vulntune train a.yaml')
			.action(() =>
				runCommand(async ({ progress }) => {
					progress.note('at work');
					if (result instanceof Error) throw result;
					return result;
				}),
			);
	};
	const exitCode = await runCommandLine(
		argv,
		[definition],
		terminal,
		'1.2.3',
		command === undefined ? {} : { command },
	);
	return { exitCode, ...seen };
}

describe('exit codes', () => {
	it.each([
		['input', 2],
		['partial', 3],
		['runtime', 4],
		['resources', 5],
		['interrupted', 130],
	] as const)('of a failure of the kind %s is %d', async (kind, code) => {
		const failed = await run(['train'], new VulntuneError({ code: 'SOME', kind, message: 'failed' }));
		expect(failed.exitCode).toBe(code);
		const said = (await run(['--help'])).stdout.replace(/\s+/g, ' ');
		expect(said).toMatch(new RegExp(`Exit codes: 0 ok,.* ${code} `));
	});

	it('are 0 for a result, its own where it has one, 2 for a wrong command line, 4 for what nobody foresaw', async () => {
		const result = (exitCode?: number) => ({ data: {}, text: '', ...(exitCode && { exitCode }) });
		const codes = [
			await run(['train'], result()),
			await run(['train'], result(3)),
			await run(['train', '--nosuch']),
			await run(['train', 'surplus']),
			await run(['nosuch']),
			await run(['train'], new TypeError('x is not a function')),
			await run(['train'], Object.assign(new Error('full'), { code: 'ENOSPC' })),
		].map(({ exitCode }) => exitCode);
		expect(codes).toEqual([0, 3, 2, 2, 2, 4, 5]);
	});
});

describe('the command line', () => {
	it('prints the text of a result on stdout and everything else on stderr', async () => {
		expect(await run(['train'])).toEqual({ exitCode: 0, stdout: 'value 1\n', stderr: 'at work\n' });
	});

	it('prints nothing but JSON on stdout with --json, wherever it stands', async () => {
		for (const argv of [
			['train', '--json'],
			['--json', 'train'],
		]) {
			const { stdout, stderr } = await run(argv);
			expect(JSON.parse(stdout)).toEqual({ value: 1 });
			expect(stderr).toBe('at work\n');
		}
	});

	it('shows control characters of foreign text instead of sending them to the terminal', async () => {
		const id = 'a\x1b[2Jb\u009b';
		expect((await run(['train'], { data: {}, text: `row ${id}\n\tend` })).stdout).toBe(
			'row a\\x1b[2Jb\\x9b\n\tend\n',
		);
		const error = new VulntuneError({ code: 'SOME', kind: 'input', message: `id ${id}` });
		expect((await run(['train'], error)).stderr).toContain('error: id a\\x1b[2Jb\\x9b');
	});

	it('ends with the exit code of the result', async () => {
		expect((await run(['train'], { data: {}, text: '', exitCode: 3 })).exitCode).toBe(3);
	});

	it.each([
		['input', 2],
		['partial', 3],
		['runtime', 4],
		['resources', 5],
		['interrupted', 130],
	] as const)('ends with a stable exit code for an error of kind %s', async (kind, exitCode) => {
		const error = new VulntuneError({
			code: 'SOME',
			kind,
			message: 'what',
			place: 'file:3',
			remedy: 'do this',
		});
		const plain = await run(['train'], error);
		expect(plain).toEqual({ exitCode, stdout: '', stderr: 'at work\nerror: file:3: what\n  do this\n' });
		const { stdout } = await run(['train', '--json'], error);
		expect(JSON.parse(stdout)).toEqual({
			error: { code: 'SOME', kind, message: 'what', place: 'file:3', remedy: 'do this' },
		});
	});

	it('shows a stack trace only of an unforeseen failure and only with --debug', async () => {
		const failure = new TypeError('x is undefined');
		const quiet = await run(['train'], failure);
		expect(quiet).toMatchObject({ exitCode: 4, stdout: '' });
		expect(quiet.stderr).toContain('error: unexpected failure: x is undefined\n');
		expect(quiet.stderr).not.toContain('program.test.ts');
		expect((await run(['train', '--debug'], failure)).stderr).toContain('program.test.ts');
	});

	it('names all unknown flags at once, and no value of a known one', async () => {
		const known = ['--epochs', '--some', '--training.learningRate=1', '--json'];
		const { exitCode, stdout, stderr } = await run([
			...['train', ...known, '--learning-rate=3', '-q', '--epoch', '-2', '--lines'],
			...['--', '--behind'],
		]);
		expect(exitCode).toBe(2);
		expect(stderr).toBe(
			`error: unknown options
  --learning-rate (did you mean --training.learningRate?)
  -q
  --epoch (did you mean --epochs?)
  --lines
  See vulntune train --help.
`,
		);
		expect(JSON.parse(stdout).error.code).toBe('USAGE');
	});

	it.each([
		[['tran'], "unknown command 'tran'", 'Did you mean train?'],
		[['tran', '--help'], "unknown command 'tran'", 'Did you mean train?'],
		[['train', '--epoch', '3'], "unknown option '--epoch'", 'Did you mean --epochs?'],
		[['train', '--learning-rate=3'], 'unknown option', 'Did you mean --training.learningRate?'],
		[['train', '--seed', '3'], 'unknown option', 'Did you mean --some.seed or --other.seed?'],
		[['train', '--epochs'], 'argument missing', 'vulntune train --help'],
		[['train', 'surplus'], 'too many arguments', 'vulntune train --help'],
	])('ends with 2 and the nearest name for %j', async (argv, message, hint) => {
		const { exitCode, stdout, stderr } = await run(argv);
		expect(exitCode).toBe(2);
		expect(stdout).toBe('');
		expect(stderr).toContain(message);
		expect(stderr).toContain(hint);
		const asJson = await run([...argv, '--json']);
		expect(JSON.parse(asJson.stdout).error.code).toBe('USAGE');
	});

	it('prints help on stdout when asked for it or given no command', async () => {
		for (const argv of [['--help'], [], ['help']]) {
			const { exitCode, stdout, stderr } = await run(argv);
			expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
			expect(stdout).toContain('Usage: vulntune');
			expect(stdout).toContain('train');
		}
		expect((await run(['train', '--help'])).stdout).toContain('--json');
		expect((await run(['--version'])).stdout).toBe('1.2.3\n');
	});

	it('prints help as JSON and nothing else with --json', async () => {
		for (const argv of [['--help'], [], ['help']]) {
			const { exitCode, stdout, stderr } = await run([...argv, '--json']);
			expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
			const { command, commands } = JSON.parse(stdout);
			expect(command).toBe('vulntune');
			expect(commands).toContainEqual({ name: 'train', description: '' });
		}
		const ofCommand = JSON.parse((await run(['train', '--help', '--json'])).stdout);
		expect(ofCommand).toMatchObject({ command: 'vulntune train' });
		expect(ofCommand.options).toContainEqual({ flags: '--epochs <n>', description: 'passes' });
		expect(JSON.parse((await run(['--version', '--json'])).stdout)).toEqual({ version: '1.2.3' });
	});

	it('wraps help to the terminal, long flags on a line of their own', async () => {
		const { stdout } = await run(['train', '--help']);
		expect(stdout).toMatch(/\n {2}--training\.learningRate <n>\n {30}highest learning rate .+\n {30}\S/);
		for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
	});

	it('names commands as they are called, in help, hints, notes and results', async () => {
		const npx = 'npx vulntune';
		const help = (await run(['train', '--help'], undefined, npx)).stdout;
		expect(help).toContain('Usage: npx vulntune train');
		expect(help).toContain('  npx vulntune train a.yaml');
		expect((await run(['train'], { data: {}, text: 'Then vulntune train.' }, npx)).stdout).toBe(
			'Then npx vulntune train.\n',
		);
		const error = new VulntuneError({
			code: 'SOME',
			kind: 'input',
			message: 'what',
			remedy: 'vulntune train x',
		});
		const failed = await run(['train', '--json'], error, npx);
		expect(failed.stderr).toContain('error: what\n  npx vulntune train x\n');
		expect(JSON.parse(failed.stdout).error.remedy).toBe('npx vulntune train x');
	});
});

it('starts as a program', () => {
	const file = fileURLToPath(new URL('../../bin/vulntune.mjs', import.meta.url));
	expect(execFileSync(process.execPath, [file, '--version'], { encoding: 'utf8' })).toMatch(
		/^\d+\.\d+\.\d+\n$/,
	);
	const env = { ...process.env, npm_command: 'exec' };
	expect(execFileSync(process.execPath, [file, '--help'], { encoding: 'utf8', env })).toContain(
		'Usage: npx vulntune',
	);
});
