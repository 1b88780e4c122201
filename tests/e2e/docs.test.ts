import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { crossValidateCommand } from '../../packages/vulntune/src/commands/cross-validate.ts';
import { datasetCommand } from '../../packages/vulntune/src/commands/dataset.ts';
import { demoCommand } from '../../packages/vulntune/src/commands/demo.ts';
import { doctorCommand } from '../../packages/vulntune/src/commands/doctor.ts';
import { evaluateCommand } from '../../packages/vulntune/src/commands/evaluate.ts';
import { experimentCommand } from '../../packages/vulntune/src/commands/experiment.ts';
import { explainCommand } from '../../packages/vulntune/src/commands/explain.ts';
import { modelCommand } from '../../packages/vulntune/src/commands/model.ts';
import { pretrainCommand } from '../../packages/vulntune/src/commands/pretrain.ts';
import { runCommandLine } from '../../packages/vulntune/src/commands/program.ts';
import { trainCommand } from '../../packages/vulntune/src/commands/train.ts';
import { loadGrid } from '../../packages/vulntune/src/experiments/grid/load-grid.ts';
import { projectRoot } from './command-line.ts';
import { commandsOf, nodeFault, npmFault, shownCommands } from './docs-commands.ts';

/** What a command line is told about its words: undefined where all of them are right. Nothing is run. */
async function vulntuneFault(words: readonly string[]): Promise<string | undefined> {
	const nothing = async () => ({ data: null, text: '' });
	const definitions = [
		trainCommand(nothing),
		evaluateCommand(nothing),
		crossValidateCommand(nothing),
		explainCommand(nothing),
		pretrainCommand(nothing),
		modelCommand({ info: nothing, quantize: nothing, merge: nothing, export: nothing }),
		experimentCommand({
			run: nothing,
			status: nothing,
			show: nothing,
			compare: nothing,
			report: nothing,
			export: nothing,
		}),
		datasetCommand({ audit: nothing, inspect: nothing, split: nothing }),
		demoCommand(nothing),
		doctorCommand,
	];
	let stderr = '';
	const terminal = {
		stdout: () => {},
		stderr: (text: string) => void (stderr += text),
		isInteractive: false,
		columns: 100,
	};
	const pretrains = words[1] === 'pretrain';
	const config = pretrains ? 'configs/pretraining/demo-base.yaml' : 'configs/smollm2-x1.yaml';
	const argv = words.slice(1).map((word) => (/^(config\.yaml|CONFIG)$/.test(word) ? config : word));
	const exitCode = await runCommandLine(argv, definitions, terminal, '0.0.0');
	// `vulntune model info` in running text names the command, and is no call of it
	const isNamed = argv.every((word) => /^[a-z]+(-[a-z]+)*$/.test(word)) && /\bmissing\b/.test(stderr);
	return exitCode === 0 || isNamed ? undefined : stderr;
}

const faultOf = async (words: readonly string[]): Promise<string | undefined> => {
	if (words[0] === 'vulntune') return vulntuneFault(words);
	if (words[0] === 'npm') return npmFault(words);
	return words[0] === 'node' ? nodeFault(words) : undefined;
};

const commands = shownCommands();

describe('the documents', () => {
	it.each(commands.map(({ place, words }) => [place, words.join(' '), words] as const))(
		'%s: %s',
		async (_place, _line, words) => expect(await faultOf(words)).toBeUndefined(),
	);

	it('show the two commands of a newcomer', () => {
		const lines = commands
			.filter(({ place }) => place.startsWith('README.md'))
			.map(({ words }) => words.join(' '));
		for (const line of ['npm ci', 'npm run demo', 'npm test']) expect(lines).toContain(line);
	});
});

describe('the examples of array jobs', () => {
	const read = (file: string) => readFileSync(path.join(projectRoot, 'examples', file), 'utf8');
	const { cells } = loadGrid('configs/experiments/table1-cpu.yaml', { workingFolder: projectRoot });

	/** Every `npx vulntune` line of a text, comments included, as the shell would have it for the last cell. */
	const callsIn = (text: string) =>
		[...text.matchAll(/npx (vulntune .+)$/gm)].map(([, line]) =>
			line!
				.replace(/\$SLURM_CPUS_PER_TASK/g, '8')
				.replace(/\$(SLURM_ARRAY_TASK_ID|JOB_COMPLETION_INDEX)/g, String(cells.length - 1))
				.replaceAll('"', '')
				.split(' '),
		);

	it.each(['slurm/experiment-array.sh', 'kubernetes/experiment-cells.yaml'])(
		'%s calls commands as they are',
		async (file) => {
			const calls = callsIn(read(file));
			expect(calls).toHaveLength(2);
			for (const words of calls) expect(await vulntuneFault(words)).toBeUndefined();
			expect(calls.flat().join(' ')).not.toContain('$');
		},
	);

	it('have a task for each cell', () => {
		expect(read('slurm/experiment-array.sh')).toContain(`#SBATCH --array=0-${cells.length - 1}\n`);
		expect(parse(read('kubernetes/experiment-cells.yaml'))).toMatchObject({
			...{ apiVersion: 'batch/v1', kind: 'Job' },
			spec: {
				...{ completionMode: 'Indexed', completions: cells.length },
				template: {
					spec: {
						restartPolicy: 'Never',
						containers: [{ command: ['sh', '-c'], args: [expect.any(String)] }],
					},
				},
			},
		});
	});

	it('are shell that bash can read', () => {
		execFileSync('bash', ['-n', path.join(projectRoot, 'examples/slurm/experiment-array.sh')]);
	});
});

describe('this test', () => {
	it.each([
		'vulntune trian',
		'vulntune model infos',
		'vulntune trian configs/smollm2-x1.yaml',
		'vulntune train configs/absent.yaml',
		'vulntune train configs/smollm2-x1.yaml --training.epoch 3',
		'vulntune evaluate runs/a --spilt test',
		'npm run absent',
		'node scripts/absent.mjs',
	])('notices %s', async (line) => expect(await faultOf(line.split(' '))).toBeDefined());

	it('reads blocks with comments, prompts, variables and continued lines', () => {
		const text = [
			'Run `npx vulntune doctor`, not `doctor`.',
			'```sh',
			'# first',
			'$ A=1 npx vulntune train \\',
			'  c.yaml > log.txt # trains',
			'npm ci && npm test',
			'```',
			'```json',
			'vulntune no command',
			'```',
		].join('\n');
		expect(commandsOf(text, 'x.md')).toEqual([
			{ place: 'x.md:1', words: ['vulntune', 'doctor'] },
			{ place: 'x.md:5', words: ['vulntune', 'train', 'c.yaml'] },
			{ place: 'x.md:6', words: ['npm', 'ci'] },
			{ place: 'x.md:6', words: ['npm', 'test'] },
		]);
	});
});
