import type { CommandContext, CommandResult } from '../cli/context.ts';
import type { EvaluateRequest } from '../commands/evaluate.ts';
import type { SplitName } from '../data/dataset.ts';
import { evaluatePredictionsFile, renderPredictionsReport } from './evaluate-predictions-file.ts';
import { evaluateRun } from './evaluate-run.ts';
import { renderComparison, truncationNote } from './render-comparison.ts';

/** What `vulntune evaluate` does. */
export async function evaluateFromRequest(
	request: EvaluateRequest,
	{ progress }: CommandContext,
): Promise<CommandResult> {
	if ('predictions' in request) {
		const { threshold } = request;
		const report = await evaluatePredictionsFile(
			request.predictions,
			threshold === undefined ? {} : { threshold },
		);
		return { data: report, text: renderPredictionsReport(report) };
	}
	const onProgress = (done: number, total: number) =>
		progress.update({ task: `scoring ${request.split}`, done, total, unit: 'sequences' });
	const result = await evaluateRun(request.run, request, onProgress, progress.note);
	const { comparison, truncated, threshold, rows, probabilities } = result;
	const predictions = rows.map(({ id, label }, i) => ({ id, label, probability: probabilities[i]! }));
	const caution = request.data === undefined ? splitCaution(request.split) : undefined;
	return {
		data: { split: request.split, threshold, truncated, ...comparison, caution, predictions },
		text: [
			renderComparison(comparison),
			...truncationNote(truncated),
			...(caution === undefined ? [] : ['', caution]),
		].join('\n'),
	};
}

/** Why the numbers of a split are no result; undefined for one that the run never learned from. */
export function splitCaution(split: SplitName): string | undefined {
	if (split === 'train') {
		return 'These are the functions that the run and the n-grams were trained on: no result.';
	}
	if (split === 'valid') {
		return 'Epoch and thresholds were chosen on this very split: too good, no result. That is what test is for.';
	}
	return undefined;
}
