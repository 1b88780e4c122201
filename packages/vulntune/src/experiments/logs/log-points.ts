import { existsSync, readFileSync, statSync } from 'node:fs';
import type { EndRecord, TrainingRecord } from '../../run/records.ts';
import { runFolder } from '../../run/run-folder.ts';

/** A number of a run, as loggers take them. */
export interface LogPoint {
	/** `train/loss`, `validation/rocAuc`, `test/f1`. */
	readonly name: string;
	readonly value: number;
	/** The optimiser step; of validation and test the step that came before. */
	readonly step: number;
	/** Seconds since 1970. */
	readonly time: number;
}

/** A finished run for a logger. */
export interface RunLog {
	/** Seconds since 1970. */
	readonly start: number;
	readonly end: number;
	readonly points: readonly LogPoint[];
}

/**
 * Every number of a run's metrics.jsonl, with the time that its timings.jsonl gives it. The clock starts when the run's environment
 * was written; what a resumed run had paused is not in it.
 */
export function readLogPoints(root: string): RunLog {
	const folder = runFolder(root);
	const records = readLines<TrainingRecord | EndRecord | { readonly type: 'extension' }>(folder.metrics);
	const laps = existsSync(folder.timings)
		? readLines<{ readonly type: string; readonly seconds: number }>(folder.timings).filter(
				({ type }) => type !== 'start',
			)
		: [];
	const start = statSync(folder.environment).mtimeMs / 1000;
	const points: LogPoint[] = [];
	let [step, time, lap] = [0, start, 0];
	const add = (group: string, values: Readonly<Record<string, unknown>>) => {
		for (const [name, value] of Object.entries(values)) {
			if (typeof value === 'number') points.push({ name: `${group}/${name}`, value, step, time });
		}
	};
	for (const record of records) {
		if (record.type === 'extension') continue;
		if (record.type === 'end') {
			const { rocAuc, averagePrecision, f1, mcc } = record.test;
			add(
				'test',
				Object.fromEntries(
					Object.entries({ rocAuc, averagePrecision, f1, mcc }).map(([name, own]) => [name, own.value]),
				),
			);
			continue;
		}
		time += laps[lap++]?.seconds ?? 0;
		if (record.type === 'step') {
			step = record.step;
			const { loss, gradNorm, learningRate } = record;
			add('train', { loss, gradNorm, learningRate });
		} else add('validation', { ...record.validation });
	}
	return { start, end: time, points };
}

function readLines<Line>(file: string): Line[] {
	return readFileSync(file, 'utf8')
		.split('\n')
		.filter((line) => line !== '')
		.map((line) => JSON.parse(line));
}
