import path from 'node:path';
import { makeFolder, writeFileAtomically } from '@vulntune/engine';
import { shownValue } from '../grid/load-grid.ts';
import type { LedgerCell } from '../ledger/cells.ts';
import type { LogFormat } from './log-formats.ts';
import { readLogPoints } from './log-points.ts';
import { mlflowExperiment, mlflowExperimentId, mlflowFiles } from './mlflow.ts';
import { tensorboardEvents } from './tensorboard.ts';

/**
 * Writes a finished cell for another program's eyes: `tensorboard/NAME/` or `mlruns/` in the study's folder. Written again, it
 * replaces itself.
 */
export function writeLog(format: LogFormat, study: string, cell: LedgerCell): void {
	const folder = path.resolve(study, cell.folder);
	const log = readLogPoints(folder);
	if (format === 'tensorboard') {
		const place = path.join(study, 'tensorboard', fileName(`${cell.grid} ${cell.name}`));
		write(path.join(place, 'events.out.tfevents.vulntune'), tensorboardEvents(log));
		return;
	}
	const experiment = mlflowExperimentId(cell.grid);
	const root = path.resolve(study, 'mlruns', experiment);
	write(path.join(root, 'meta.yaml'), mlflowExperiment(experiment, cell.grid, root, log.start));
	const parameters = Object.fromEntries(
		Object.entries(cell.settings).map(([name, value]) => [name, shownValue(name, value)]),
	);
	const run = { ...log, name: cell.name, parameters, artifacts: folder };
	const id = cell.runId.slice(0, 32);
	// MLflow takes a folder for a run only where it has all of these
	for (const part of ['metrics', 'params', 'tags', 'artifacts']) makeFolder(path.join(root, id, part));
	for (const [file, text] of mlflowFiles(run, id, experiment)) write(path.join(root, id, file), text);
}

/** A cell's name as that of a folder. */
function fileName(name: string): string {
	return name.replace(/[^\w.=,-]+/g, '_');
}

function write(file: string, content: string | Uint8Array): void {
	makeFolder(path.dirname(file));
	const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
	writeFileAtomically(file, (append) => append(bytes));
}
