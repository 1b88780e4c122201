import type { CommandContext, CommandResult } from '../cli/context.ts';
import type { EvaluateRequest } from '../commands/evaluate.ts';
import { evaluatePredictionsFile, renderPredictionsReport } from './evaluatePredictionsFile.ts';
import { evaluateRun } from './evaluateRun.ts';
import { renderComparison } from './renderComparison.ts';

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
	const notes =
		truncated === 0
			? []
			: ['', `${truncated} functions were longer than a sequence and scored by their head.`];
	return {
		data: { split: request.split, threshold, truncated, ...comparison, predictions },
		text: [renderComparison(comparison), ...notes].join('\n'),
	};
}
