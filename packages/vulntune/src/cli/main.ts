import { readFileSync } from 'node:fs';
import { doctorCommand } from '../commands/doctor.ts';
import { evaluateCommand } from '../commands/evaluate.ts';
import { modelCommand } from '../commands/model.ts';
import { trainCommand } from '../commands/train.ts';
import { evaluateFromRequest } from '../evaluation/evaluateCommand.ts';
import { modelCommands } from '../model/run-model-commands.ts';
import { trainFromConfig } from '../training/train-command.ts';
import { runCommandLine } from './program.ts';
import { processTerminal } from './terminal.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
	version: string;
};

const commands = [
	trainCommand(trainFromConfig),
	evaluateCommand(evaluateFromRequest),
	modelCommand(modelCommands),
	doctorCommand,
];

process.exitCode = await runCommandLine(process.argv.slice(2), commands, processTerminal(), version);
