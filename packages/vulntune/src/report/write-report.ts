import { writeFileAtomically } from '@vulntune/engine';
import { runFolder } from '../run/run-folder.ts';
import { renderModelCard } from './model-card.ts';
import { renderPage } from './page.ts';
import { readRun } from './read-run.ts';

export interface ReportOptions {
	/** The data were generated: said wherever a number is shown. Also where environment.json says so. */
	readonly isSynthetic?: boolean;
}

export interface WrittenReport {
	/** Path of report.html. */
	readonly report: string;
	/** Path of README.md, the model card. */
	readonly card: string;
}

/**
 * Writes report.html and README.md of a finished run from what is in its folder, replacing older ones. Takes about two seconds,
 * most of them to load the drawing libraries.
 *
 * Throws `RUN_UNFINISHED`, `RUN_FILE`, `PREDICTIONS_INVALID`, `DISK_FULL`.
 *
 *     await writeReport('runs/qlora-smollm2');
 */
export async function writeReport(root: string, options: ReportOptions = {}): Promise<WrittenReport> {
	const data = readRun(root, options.isSynthetic);
	const { report, readme: card } = runFolder(root);
	const page = await renderPage(data);
	for (const [file, text] of [
		[report, page],
		[card, renderModelCard(data)],
	] as const) {
		writeFileAtomically(file, (append) => append(new TextEncoder().encode(text)));
	}
	return { report, card };
}
