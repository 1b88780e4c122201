import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputError } from '@vulntune/engine';
import { resolveConfig } from '../config/load.ts';
import type { Config, ConfigInput } from '../config/schema.ts';
import { generateDemoDataset } from '../demo/dataset.ts';
import { holdsDemoDataset, writeDemoDataset } from '../demo/write-dataset.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { formatDuration } from '../terminal/format.ts';
import type { DemoRequest } from './demo.ts';
import { trainFromConfig } from './train-command.ts';

/** The small base model that the project pretrained itself; its README tells how. */
export const demoBaseFolder = fileURLToPath(new URL('../../assets/demo-base', import.meta.url));

/** Pairs of a generated function and its fix; as many as two slow cores can learn from in two minutes. */
const PAIRS = 800;

/**
 * The main job on an embedded default: generates functions, fine-tunes the embedded base with QLoRA, evaluates it
 * beside the baselines. Offline, minutes on two cores. Everything it measures is on synthetic code, and says so.
 */
export async function runDemo(request: DemoRequest, context: CommandContext): Promise<CommandResult> {
	const start = performance.now();
	const output = path.resolve(request.output);
	const data = path.join(output, 'data');
	refuseForeignFolder(output, data);
	const options = { seed: request.seed, pairs: PAIRS };
	const dataset = generateDemoDataset(options);
	writeDemoDataset(data, dataset, options);
	context.progress.note(
		`generated ${dataset.train.length + dataset.valid.length + dataset.test.length} Java functions (synthetic: nothing measured on them tells about real code)`,
	);
	const config = demoConfig(data, output, request.seed);
	const mode = { resume: false, overwrite: true, dryRun: false, allowOtherBase: false };
	const { data: result, text } = await trainFromConfig({ config, ...mode }, context);
	const seconds = (performance.now() - start) / 1000;
	const shown = [
		text,
		'',
		`The demo took ${formatDuration(seconds)}. Its functions are synthetic; the way is the same for real ones:`,
		'',
		...nextCommands(request.output, process.cwd()),
	].join('\n');
	return { data: { synthetic: true, seconds, ...(result as object) }, text: shown };
}

/** The ready configs: in an installed package inside it, in a clone at its root. */
const configsFolder = ['../../configs', '../../../../configs']
	.map((folder) => fileURLToPath(new URL(folder, import.meta.url)))
	.find((folder) => existsSync(folder))!;

/** Commands to go on with, each beside what it does; paths as they are typed in the working folder. */
export function nextCommands(output: string, workingFolder: string): string[] {
	const config = path.relative(workingFolder, path.join(configsFolder, 'smollm2-x1.yaml'));
	const commands = [
		['vulntune doctor', 'what this machine can train'],
		[`vulntune train ${config} --dry-run`, 'the plan of a run on real data'],
		[`vulntune evaluate ${output} --split valid`, 'score another split of this run'],
	] as const;
	const width = Math.max(...commands.map(([command]) => command.length));
	return commands.map(([command, purpose]) => `  ${command.padEnd(width)}  ${purpose}`);
}

/** A demo replaces an earlier demo, and nothing else that lies in its folder. */
function refuseForeignFolder(output: string, data: string): void {
	if (!existsSync(output) || holdsDemoDataset(data)) return;
	if (statSync(output).isDirectory() && readdirSync(output).length === 0) return;
	throw inputError('OUTPUT_TAKEN', 'this is not the folder of an earlier demo, and not an empty one', {
		place: output,
		remedy: 'Choose another --output.',
	});
}

/** What the demo trains with. */
export function demoConfig(data: string, output: string, seed: number): Config {
	const value: ConfigInput = {
		model: demoBaseFolder,
		data: { path: data },
		method: { type: 'qlora', rank: 8, alpha: 32, dropout: 0 },
		head: { pool: 'mean' },
		sequence: { length: 256 },
		loss: { reduction: 'mean' },
		training: {
			epochs: 8,
			learningRate: 1e-3,
			accumulation: 4,
			warmupSteps: 20,
			seed,
			checkpointEverySteps: 200,
		},
		output,
	};
	return resolveConfig(value, { place: 'demo', folder: output });
}
