import { readFileSync } from 'node:fs';
import { demoCommand } from '../commands/demo.ts';
import { doctorCommand } from '../commands/doctor.ts';
import { evaluateCommand } from '../commands/evaluate.ts';
import { modelCommand } from '../commands/model.ts';
import { pretrainCommand } from '../commands/pretrain.ts';
import { trainCommand } from '../commands/train.ts';
import { runCommandLine } from './program.ts';
import { spelledCommand } from './spelled-command.ts';
import { processTerminal } from './terminal.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
	version: string;
};

// A room is loaded when its command runs, so that help and usage errors come at once.
const model = () => import('../model/run-model-commands.ts');
const commands = [
	trainCommand(async (...call) => (await import('../training/train-command.ts')).trainFromConfig(...call)),
	evaluateCommand(async (...call) =>
		(await import('../evaluation/evaluate-command.ts')).evaluateFromRequest(...call),
	),
	pretrainCommand(async (...call) =>
		(await import('../pretraining/pretrain-command.ts')).pretrainFromConfig(...call),
	),
	modelCommand({
		info: async (...call) => (await model()).modelCommands.info(...call),
		quantize: async (...call) => (await model()).modelCommands.quantize(...call),
	}),
	demoCommand(async (...call) => (await import('../demo/run-demo.ts')).runDemo(...call)),
	doctorCommand,
];

const command = spelledCommand({ env: process.env, file: process.argv[1]!, workingFolder: process.cwd() });
const exitCode = await runCommandLine(process.argv.slice(2), commands, processTerminal(), version, command);
// a result that couldn't be written may have set it already
process.exitCode = exitCode || process.exitCode || 0;
