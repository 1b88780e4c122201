import { createHash } from 'node:crypto';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { stringify } from 'yaml';
import type { RunLog } from './log-points.ts';

/** A run for MLflow. */
export interface MlflowRun extends RunLog {
	readonly name: string;
	/** Option to value. */
	readonly parameters: Readonly<Record<string, string>>;
	readonly artifacts: string;
}

const milliseconds = (seconds: number) => Math.round(1000 * seconds);

/** MLflow's names for what has ended well, and for a run that was started by hand. */
const [finished, local] = [3, 4];

/** An identity as MLflow wants it: 18 digits for an experiment. */
export function mlflowExperimentId(study: string): string {
	const hash = createHash('sha256').update(study).digest();
	return String(10n ** 17n + (hash.readBigUInt64BE() % (9n * 10n ** 17n)));
}

/** The meta.yaml of an experiment in a folder `mlruns`. */
export function mlflowExperiment(id: string, name: string, folder: string, time: number): string {
	return stringify({
		artifact_location: pathToFileURL(folder).href,
		creation_time: milliseconds(time),
		experiment_id: id,
		last_update_time: milliseconds(time),
		lifecycle_stage: 'active',
		name,
	});
}

/**
 * The files of a run in MLflow's file store, by path: meta.yaml, and one for each metric (lines of time, value, step), parameter and
 * tag.
 */
export function mlflowFiles(run: MlflowRun, id: string, experiment: string): ReadonlyMap<string, string> {
	const meta = stringify({
		artifact_uri: pathToFileURL(run.artifacts).href,
		end_time: milliseconds(run.end),
		entry_point_name: '',
		experiment_id: experiment,
		lifecycle_stage: 'active',
		...{ run_id: id, run_name: run.name, run_uuid: id },
		...{ source_name: '', source_type: local, source_version: '' },
		start_time: milliseconds(run.start),
		status: finished,
		tags: [],
		user_id: 'vulntune',
	});
	const files = new Map([
		['meta.yaml', meta],
		[path.join('tags', 'mlflow.runName'), run.name],
	]);
	for (const [name, value] of Object.entries(run.parameters)) files.set(path.join('params', name), value);
	for (const { name, value, step, time } of run.points) {
		const file = path.join('metrics', name);
		files.set(file, `${files.get(file) ?? ''}${milliseconds(time)} ${value} ${step}\n`);
	}
	return files;
}
