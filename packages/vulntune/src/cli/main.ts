import { readFileSync } from 'node:fs';
import { crossValidateCommand } from '../commands/cross-validate.ts';
import { datasetCommand } from '../commands/dataset.ts';
import { demoCommand } from '../commands/demo.ts';
import { doctorCommand } from '../commands/doctor.ts';
import { evaluateCommand } from '../commands/evaluate.ts';
import { experimentCommand } from '../commands/experiment.ts';
import { explainCommand } from '../commands/explain.ts';
import { modelCommand } from '../commands/model.ts';
import { pretrainCommand } from '../commands/pretrain.ts';
import { runCommandLine } from '../commands/program.ts';
import { trainCommand } from '../commands/train.ts';
import { spelledCommand } from '../terminal/spelled-command.ts';
import { processTerminal } from '../terminal/terminal.ts';
import { refuseSeveralProcesses, terminalOfProcess } from './processes.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
	version: string;
};

// A room is loaded when its command runs, so that help and usage errors come at once.
const model = () => import('../commands/run-model-commands.ts');
const dataset = () => import('../commands/run-dataset-commands.ts');
const experiment = async () => (await import('../commands/run-experiment-commands.ts')).experimentCommands();
const commands = [
	trainCommand(async (...call) => (await import('../commands/train-command.ts')).trainFromConfig(...call)),
	evaluateCommand(async (...call) =>
		(await import('../commands/evaluate-command.ts')).evaluateFromRequest(...call),
	),
	experimentCommand({
		run: async (...call) => (await experiment()).run(...call),
		status: async (...call) => (await experiment()).status(...call),
		show: async (...call) => (await experiment()).show(...call),
		compare: async (...call) => (await experiment()).compare(...call),
		report: async (...call) => (await experiment()).report(...call),
		export: async (...call) => (await experiment()).export(...call),
	}),
	crossValidateCommand(async (...call) =>
		(await import('../commands/cross-validate-command.ts')).crossValidateFromConfig(...call),
	),
	explainCommand(async (...call) =>
		(await import('../commands/explain-command.ts')).explainFromRequest(...call),
	),
	pretrainCommand(async (...call) =>
		(await import('../commands/pretrain-command.ts')).pretrainFromConfig(...call),
	),
	modelCommand({
		info: async (...call) => (await model()).modelCommands.info(...call),
		quantize: async (...call) => (await model()).modelCommands.quantize(...call),
		merge: async (...call) => (await model()).modelCommands.merge(...call),
		export: async (...call) => (await model()).modelCommands.export(...call),
	}),
	datasetCommand({
		audit: async (...call) => (await dataset()).datasetCommands.audit(...call),
		inspect: async (...call) => (await dataset()).datasetCommands.inspect(...call),
		split: async (...call) => (await dataset()).datasetCommands.split(...call),
	}),
	demoCommand(async (...call) => (await import('../commands/run-demo.ts')).runDemo(...call)),
	doctorCommand,
];

const command = spelledCommand({ env: process.env, file: process.argv[1]!, workingFolder: process.cwd() });
const terminal = terminalOfProcess(processTerminal(), process.env);
const exitCode = await runCommandLine(process.argv.slice(2), commands, terminal, version, {
	command,
	beforeCommand: (name) => refuseSeveralProcesses(name, process.env),
});
// a result that couldn't be written may have set it already
process.exitCode = exitCode || process.exitCode || 0;
