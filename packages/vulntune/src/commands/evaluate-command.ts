import type { SplitName } from '../data/dataset.ts';
import { renderPrecisionChange } from '../evaluation/compare-precisions.ts';
import { renderLineEvaluation } from '../evaluation/evaluate-lines.ts';
import { evaluatePredictionsFile, renderPredictionsReport } from '../evaluation/evaluate-predictions-file.ts';
import { evaluateRun } from '../evaluation/evaluate-run.ts';
import { checkPredictionsOutput } from '../evaluation/predictions-output.ts';
import { renderComparison, truncationNote } from '../evaluation/render-comparison.ts';
import { evaluateZeroShot } from '../evaluation/zero-shot.ts';
import { savePredictions } from '../fine-tuning/predictions.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import type { EvaluateRequest, ZeroShotRequest } from './evaluate.ts';
import { fetchModel } from './fetch-model.ts';

/** What `vulntune evaluate` does. */
export async function evaluateFromRequest(
	request: EvaluateRequest,
	context: CommandContext,
): Promise<CommandResult> {
	const { progress } = context;
	if ('predictions' in request) {
		const { predictions, threshold, against } = request;
		const report = await evaluatePredictionsFile(predictions, { threshold, against });
		return { data: report, text: renderPredictionsReport(report) };
	}
	if ('zeroShot' in request) return zeroShotFromRequest(request, context);
	const { output, overrides, download = false, dryRun = false } = request;
	if (overrides?.model !== undefined) await fetchModel(overrides.model, download, context);
	if (output !== undefined) checkPredictionsOutput(output);
	if (dryRun) {
		const { planEvaluation, renderScoringPlan } = await import('../plan/plan-scoring.ts');
		const plan = await planEvaluation(request.run, request, progress.note);
		return { data: plan, text: renderScoringPlan(plan) };
	}
	const onProgress = (done: number, total: number) =>
		progress.update({ task: `scoring ${request.split}`, done, total, unit: 'sequences' });
	const result = await evaluateRun(request.run, request, onProgress, progress.note);
	const { comparison, precisionChange, lines, truncated, threshold, rows, probabilities } = result;
	if (output !== undefined) savePredictions(output, rows, probabilities, threshold);
	const predictions = rows.map(({ id, label }, i) => ({ id, label, probability: probabilities[i]! }));
	const ofSplit = splitCaution(request.split, result.isOwnData);
	const cautions = [...result.cautions, ...(ofSplit === undefined ? [] : [ofSplit])];
	const caution = cautions.length > 0 ? cautions.join(' ') : undefined;
	return {
		data: {
			...{ split: request.split, threshold, truncated, ...comparison, precisionChange, lines },
			...{ calibration: request.calibration ?? null },
			...{ base: result.base, caution, output, predictions },
		},
		text: [
			renderComparison(comparison),
			...(request.calibration === undefined
				? []
				: [
						'',
						`Probabilities are calibrated (${request.calibration}, fitted on validation), the threshold is its own.`,
					]),
			...(precisionChange === undefined ? [] : ['', renderPrecisionChange(precisionChange)]),
			...(lines === undefined ? [] : ['', renderLineEvaluation(lines)]),
			...truncationNote(truncated),
			...cautions.flatMap((line) => ['', line]),
			...(output === undefined ? [] : ['', `The predictions are in ${output}.`]),
		].join('\n'),
	};
}

async function zeroShotFromRequest(
	request: ZeroShotRequest,
	context: CommandContext,
): Promise<CommandResult> {
	const { progress } = context;
	const { output, split, download = false, dryRun = false } = request;
	if (output !== undefined) checkPredictionsOutput(output);
	await fetchModel(request.model, download, context);
	if (dryRun) {
		const { planZeroShot, renderScoringPlan } = await import('../plan/plan-scoring.ts');
		const plan = await planZeroShot(request, progress.note);
		return { data: plan, text: renderScoringPlan(plan) };
	}
	const onProgress = (name: SplitName, done: number, total: number) =>
		progress.update({ task: `scoring ${name}`, done, total, unit: 'sequences' });
	const result = await evaluateZeroShot(request, onProgress, progress.note);
	const { comparison, question, threshold, truncated, rows, probabilities } = result;
	if (output !== undefined) savePredictions(output, rows, probabilities, threshold);
	const predictions = rows.map(({ id, label }, i) => ({ id, label, probability: probabilities[i]! }));
	const caution = splitCaution(split, true);
	const { prompt, positive, negative } = question;
	return {
		data: {
			...{ split, threshold, truncated, question, ...comparison },
			...{ caution, output, predictions },
		},
		text: [
			`Nothing was trained. After each function the model was asked ${JSON.stringify(prompt)},`,
			`and the answer ${JSON.stringify(positive)} was weighed against ${JSON.stringify(negative)}.`,
			'',
			renderComparison(comparison),
			...truncationNote(truncated),
			...(caution === undefined ? [] : ['', caution]),
			...(output === undefined ? [] : ['', `The predictions are in ${output}.`]),
		].join('\n'),
	};
}

/**
 * Why the numbers of a split are no result; undefined for one that the run never learned from.
 *
 * @param isOwn whether the dataset is the one that was trained with; undefined where nothing says
 */
export function splitCaution(split: SplitName, isOwn: boolean | undefined): string | undefined {
	if (split === 'train') {
		return isOwn === true
			? 'These are the functions that the run and the n-grams were trained on: no result.'
			: 'These are training functions: the baselines beside the detector are fitted on them, and where it was trained on any of them, which nothing here rules out, this is no result.';
	}
	if (split === 'valid' && isOwn !== false) {
		if (isOwn === undefined) {
			return 'Where epoch and thresholds were chosen on this very split, which nothing here rules out, this is too good: no result. That is what test is for.';
		}
		return 'Epoch and thresholds were chosen on this very split: too good, no result. That is what test is for.';
	}
	return undefined;
}
