import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadNewestCheckpoint } from '../../packages/vulntune/src/run/checkpoint-store.ts';

/** The bytes of all results that must not differ between equal runs, by file name. */
export function resultsOf(output: string): Record<string, string> {
	const adapter = readdirSync(path.join(output, 'adapter')).map((name) => path.join('adapter', name));
	const files = [
		'metrics.jsonl',
		'comparison.json',
		'baselines.test.jsonl',
		'data.json',
		'predictions.valid.jsonl',
		'predictions.test.jsonl',
		...adapter.toSorted(),
	];
	return Object.fromEntries(files.map((file) => [file, readFileSync(path.join(output, file), 'base64')]));
}

/** Optimiser steps in the newest checkpoint of a run, all of whose checkpoints must be whole; 0 where there is none. */
export function checkpointedSteps(output: string): number {
	const checkpoint = loadNewestCheckpoint(path.join(output, 'checkpoints'), (message) => {
		throw new Error(message);
	});
	if (checkpoint === undefined) return 0;
	return JSON.parse(checkpoint.files.get('state.json')!.toString('utf8')).state.step;
}

/** Optimiser steps that a run has told of in its metrics. */
export function loggedSteps(output: string): number {
	const file = path.join(output, 'metrics.jsonl');
	if (!existsSync(file)) return 0;
	const lines = readFileSync(file, 'utf8').split('\n');
	return lines.filter((line) => line.startsWith('{"type":"step"')).length;
}
