import type { Precision } from '@vulntune/engine';
import { inputError } from '@vulntune/engine/errors.ts';
import { z } from 'zod';
import { configOptions } from '../config/options.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import { trainingConfig } from '../config/training-config.ts';
import { type SplitName, splitNames } from '../data/dataset.ts';
import type { CalibrationMethod } from '../metrics/calibrate.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { backendOptions, backendOverrides } from './backend-flags.ts';
import { movedBaseFlag, otherBaseFlag } from './base-flags.ts';
import { downloadFlag } from './fetch-model.ts';
import type { CommandDefinition } from './program.ts';
import { addConfigFlags, addFlags, configOverrides, readFlags } from './schema-flags.ts';

const flags = z.strictObject({
	data: z.string().min(1).optional().describe("folder or .tar.gz to score; by default the run's own"),
	split: z.enum(splitNames).optional().describe('rows to score; default test'),
	model: movedBaseFlag.describe(
		'folder of the base model, where it lies elsewhere than when the adapter was made; with --zero-shot the model itself',
	),
	allowOtherBase: otherBaseFlag(
		'score though the base is another than the adapter was made on; the result says so',
	),
	download: downloadFlag,
	precision: z
		.enum(['bf16', 'fp32', 'int8'])
		.optional()
		.describe("score in this arithmetic instead of the run's own, and say what that changes"),
	lines: z
		.boolean()
		.default(false)
		.describe(
			'also rank the lines of the functions and measure that by the lines that fixes removed or changed; needs vulnerable functions and their fixes in the split',
		),
	calibration: z
		.enum(['temperature', 'isotonic'])
		.optional()
		.describe('put a map that was fitted on validation behind the probabilities; its own threshold applies'),
	zeroShot: z
		.boolean()
		.default(false)
		.describe('score with the untuned model of --model: its answer YES against NO to --nextToken.prompt'),
	predictions: z
		.string()
		.min(1)
		.optional()
		.describe(
			'measure a file of predictions instead: lines with id, label and probability; with commit and function_name pairs too',
		),
	against: z
		.string()
		.min(1)
		.optional()
		.describe('with --predictions: other predictions of the same functions to compare with, by paired tests'),
	output: z
		.string()
		.min(1)
		.optional()
		.describe(
			'also write the predictions to this file, as JSONL: id, label, probability, commit, cwe, function_name, threshold; replaces earlier predictions, no other file',
		),
	dryRun: z
		.boolean()
		.default(false)
		.describe('print the plan: what is scored, memory and time; score nothing'),
	threshold: z
		.number()
		.min(0)
		.max(1)
		.optional()
		.describe(
			"with --predictions: vulnerable from this probability on; default: the file's own threshold, else what needs one is undefined",
		),
});

/** What an untuned model is asked, and how long its sequences are. */
const questionOptions = configOptions.filter(
	({ name }) => name.startsWith('nextToken.') || name === 'sequence.length',
);
/** They need no method and no objective here, but `--zero-shot`. */
const shownQuestion = questionOptions.map((option) => ({ ...option, needs: {} }));
const shownSections = trainingConfig.sections.map((section) =>
	questionOptions.some(({ path }) => path[0] === section.name)
		? { ...section, description: `${section.description}; goes with --zero-shot`, needs: {} }
		: section,
);

/** Ask a model that was trained for none of this. */
export interface ZeroShotRequest {
	readonly zeroShot: true;
	readonly model: string;
	readonly data: string;
	readonly split: SplitName;
	readonly precision: Precision | undefined;
	readonly output: string | undefined;
	/** Of the question, the sequence and the backend. */
	readonly overrides: ConfigOverrides;
	readonly download?: boolean;
	readonly dryRun?: boolean;
}

/** Score a split with a run's adapter, or measure predictions that are there. */
export type EvaluateRequest =
	| {
			/** A run folder or an adapter folder. */
			readonly run: string;
			readonly data: string | undefined;
			readonly split: SplitName;
			/** undefined: the run's own. */
			readonly precision: Precision | undefined;
			/** File for the predictions. */
			readonly output: string | undefined;
			/** Options of the run's config that are others here: `model` and those of the backend. */
			readonly overrides?: ConfigOverrides;
			readonly allowOtherBase?: boolean;
			/** Also find the lines that fixes changed. */
			readonly lines?: boolean;
			/** Fetch the model of the overrides where it is named as on a hub and isn't in the cache. */
			readonly download?: boolean;
			/** undefined: the probabilities as they are. */
			readonly calibration?: CalibrationMethod | undefined;
			/** Say what would be done, and do nothing. */
			readonly dryRun?: boolean;
	  }
	| ZeroShotRequest
	| {
			readonly predictions: string;
			readonly threshold: number | undefined;
			readonly against?: string | undefined;
	  };

/** `vulntune evaluate`; `evaluate` is what does the work. */
export function evaluateCommand(
	evaluate: (request: EvaluateRequest, context: CommandContext) => Promise<CommandResult>,
): CommandDefinition {
	return (program, run) => {
		const command = program
			.command('evaluate')
			.summary('score a split: metrics with intervals, baselines beside them')
			.description(
				'Score a split with a trained adapter, or measure a file of predictions: metrics with 95 % intervals, the threshold taken from validation, baselines beside them. It computes on the backend of the run where this machine has it, unless --backend names another.',
			)
			.argument('[run]', 'run folder, or an adapter folder with its vulntune.json (then with --data)')
			.addHelpText(
				'after',
				`
Examples:
  vulntune evaluate runs/three
  vulntune evaluate runs/three --data data/x1-without-p3 --split valid --json
  vulntune evaluate runs/three --output predictions.jsonl
  vulntune evaluate runs/three --precision int8
  vulntune evaluate runs/three --lines
  vulntune evaluate runs/three --calibration temperature
  vulntune evaluate --zero-shot --model models/smollm2-135m --data data/x1-without-p3
  vulntune evaluate --zero-shot --model models/smollm2-135m --data data/x1-without-p3 --dry-run
  vulntune evaluate adapters/three --data data/x1-without-p3 --model models/smollm2-135m
  vulntune evaluate runs/from-the-server --backend cpu --backend.threads 2
  vulntune evaluate --predictions runs/three/predictions.test.jsonl --threshold 0.4
  vulntune evaluate --predictions runs/a/predictions.test.jsonl --against runs/b/predictions.test.jsonl`,
			);
		addFlags(command, flags);
		addConfigFlags(command, {
			options: [...shownQuestion, ...backendOptions],
			sections: shownSections,
		});
		command.action(async (folder: string | undefined) => {
			const values = command.opts();
			const request = toRequest(
				folder,
				readFlags(flags, values),
				configOverrides(values, questionOptions),
				backendOverrides(values),
			);
			await run((context) => evaluate(request, context));
		});
	};
}

function toRequest(
	run: string | undefined,
	values: z.output<typeof flags>,
	question: ConfigOverrides,
	backend: ConfigOverrides,
): EvaluateRequest {
	const { data, split, precision, predictions, threshold, against, output, model, allowOtherBase } = values;
	const { calibration, zeroShot, lines, download, dryRun } = values;
	if (zeroShot) return toZeroShot(run, values, question, backend);
	if (Object.keys(question).length > 0) {
		throw inputError(
			'USAGE',
			'--nextToken and --sequence.length go with --zero-shot: a run has its own question',
		);
	}
	if (run !== undefined && predictions !== undefined) {
		throw inputError('USAGE', 'a run and --predictions were given: choose one');
	}
	if (download && model === undefined) {
		throw inputError('USAGE', '--download goes with --model, which names what to fetch');
	}
	if (predictions !== undefined) {
		const isOfRun = [data, split, precision, calibration, output, model].some((value) => value !== undefined);
		if (isOfRun || allowOtherBase || lines || dryRun || Object.keys(backend).length > 0) {
			throw inputError(
				'USAGE',
				'--data, --split, --precision, --calibration, --output, --model, --allow-other-base, --lines, --dry-run and --backend go with a run, not with --predictions',
			);
		}
		if (threshold !== undefined && against !== undefined) {
			throw inputError(
				'USAGE',
				'--threshold goes with one file of predictions; with --against each file needs its own',
				{
					remedy: 'Write a `threshold` into the lines of each file.',
				},
			);
		}
		return { predictions, threshold, against };
	}
	if (run === undefined) {
		throw inputError('USAGE', 'a run folder or --predictions is missing', {
			remedy: 'vulntune evaluate runs/<name>, or vulntune evaluate --predictions predictions.test.jsonl',
		});
	}
	if (threshold !== undefined) {
		throw inputError('USAGE', '--threshold goes with --predictions: a run has its own, from validation');
	}
	if (against !== undefined) {
		throw inputError(
			'USAGE',
			'--against goes with --predictions: give the predictions.test.jsonl of both runs',
		);
	}
	const overrides = { ...backend, ...(model === undefined ? {} : { model }) };
	const chosen = { split: split ?? 'test', precision, output, overrides, allowOtherBase, calibration };
	return { run, data, ...chosen, lines, download, dryRun };
}

function toZeroShot(
	run: string | undefined,
	values: z.output<typeof flags>,
	question: ConfigOverrides,
	backend: ConfigOverrides,
): ZeroShotRequest {
	const { model, data, split, precision, output, predictions, threshold, against, calibration } = values;
	const isOfTrained = [run, predictions, threshold, against, calibration].some(
		(value) => value !== undefined,
	);
	if (isOfTrained || values.allowOtherBase || values.lines) {
		throw inputError(
			'USAGE',
			'--zero-shot asks a model folder that was not trained: no run, --predictions, --threshold, --against, --calibration, --lines or --allow-other-base goes with it',
		);
	}
	if (model === undefined || data === undefined) {
		throw inputError('USAGE', '--zero-shot needs --model and --data');
	}
	const overrides = { ...question, ...backend };
	const { download, dryRun } = values;
	const chosen = { split: split ?? 'test', precision, output, overrides };
	return { zeroShot: true, model, data, ...chosen, download, dryRun };
}
