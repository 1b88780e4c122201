import { checkOutputFile } from '../run/output-file.ts';
import { isPredictionLine } from './predictions.ts';

/**
 * Scoring can take hours: what would keep its predictions from being written, or lose something else by it, is found before.
 *
 * @throws VulntuneError OUTPUT_NOT_FILE, OUTPUT_TAKEN
 */
export function checkPredictionsOutput(file: string): void {
	checkOutputFile(file, '--output', 'predictions', (start) => isPredictionLine(start.split('\n', 1)[0]!));
}
