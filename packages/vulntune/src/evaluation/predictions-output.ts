import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '@vulntune/engine';
import { checkOutputFile } from '../run/output-file.ts';
import { isPredictionLine } from './predictions.ts';

/**
 * Scoring can take hours: what would keep its predictions from being written, or lose something else by it, is found before.
 *
 * @throws VulntuneError OUTPUT_NOT_FILE, OUTPUT_TAKEN, also for what a run or a cross-validation itself says
 */
export function checkPredictionsOutput(file: string): void {
	refuseRecord(file);
	checkOutputFile(file, '--output', 'predictions', (start) => isPredictionLine(start.split('\n', 1)[0]!));
}

/** What other commands take for a run's own is never that of another split, precision or dataset. */
function refuseRecord(file: string): void {
	const folder = path.dirname(path.resolve(file));
	const holdsRun = ['environment.json', 'cross-validation.json'].some((name) =>
		existsSync(path.join(folder, name)),
	);
	if (!holdsRun || !/^predictions\.(valid|test|oof.*)\.jsonl$/.test(path.basename(file))) return;
	throw inputError('OUTPUT_TAKEN', 'here the run keeps its own predictions, which other commands read', {
		place: file,
		remedy: 'Choose another --output.',
	});
}
