import { vi } from 'vitest';
import { doctorCommand } from '../../packages/vulntune/src/commands/doctor.ts';
import { evaluateCommand } from '../../packages/vulntune/src/commands/evaluate.ts';
import { evaluateFromRequest } from '../../packages/vulntune/src/commands/evaluate-command.ts';
import { experimentCommand } from '../../packages/vulntune/src/commands/experiment.ts';
import { explainCommand } from '../../packages/vulntune/src/commands/explain.ts';
import { explainFromRequest } from '../../packages/vulntune/src/commands/explain-command.ts';
import { modelCommand } from '../../packages/vulntune/src/commands/model.ts';
import { runCommandLine } from '../../packages/vulntune/src/commands/program.ts';
import {
	experimentCommands,
	type StartStudy,
} from '../../packages/vulntune/src/commands/run-experiment-commands.ts';
import { modelCommands } from '../../packages/vulntune/src/commands/run-model-commands.ts';
import { type TrainRequest, trainCommand } from '../../packages/vulntune/src/commands/train.ts';
import {
	describeOutcome,
	showEvent,
	trainFromConfig,
} from '../../packages/vulntune/src/commands/train-command.ts';
import { runStudy } from '../../packages/vulntune/src/experiments/run-study.ts';
import { runTraining } from '../../packages/vulntune/src/fine-tuning/run-training.ts';
import { type CommandOptions, type Ended, home } from './command-line.ts';

type TrainCall = Parameters<Parameters<typeof trainCommand>[0]>;

/** What `vulntune train` does, without a thread of its own: that one would load all modules once more. */
async function trainHere(...[request, context]: TrainCall): ReturnType<typeof trainFromConfig> {
	const { config, dryRun, ...mode }: TrainRequest = request;
	if (dryRun || config.method.type === 'ngram') return trainFromConfig(request, context);
	const interruption = context.interruption();
	const outcome = await runTraining(config, mode, {
		emit: (event) => showEvent(event, context),
		interrupted: () => interruption.aborted,
	});
	return describeOutcome(outcome);
}

/** What `vulntune experiment run` does, all of it in this thread. */
const studyHere: StartStudy = (request, _jobs, emit, interruption) =>
	runStudy(request, { emit, interrupted: () => interruption.aborted });

const commands = [
	trainCommand(trainHere),
	evaluateCommand(evaluateFromRequest),
	experimentCommand(experimentCommands(studyHere)),
	explainCommand(explainFromRequest),
	modelCommand(modelCommands),
	doctorCommand,
];

/**
 * Runs `vulntune` to its end in this process, which takes a tenth of the time of one that has to start: for what a command
 * says and writes. Signals, threads and what the process itself does need `vulntune` of command-line.ts.
 */
export async function vulntuneHere(
	argv: readonly string[],
	{ cwd }: Pick<CommandOptions, 'cwd'>,
): Promise<Ended> {
	const written = { stdout: '', stderr: '' };
	const terminal = {
		stdout: (text: string) => void (written.stdout += text),
		stderr: (text: string) => void (written.stderr += text),
		isInteractive: false,
		columns: 80,
	};
	const before = process.cwd();
	process.chdir(cwd);
	vi.stubEnv('HOME', home);
	try {
		const code = await runCommandLine(argv, commands, terminal, '0.0.0');
		return { code, signal: null, ...written };
	} finally {
		process.chdir(before);
		vi.unstubAllEnvs();
	}
}
