import path from 'node:path';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { renderComparison, truncationNote } from '../evaluation/render-comparison.ts';
import type { RunOutcome, TrainingEvent } from '../fine-tuning/run-events.ts';
import { startTraining } from '../fine-tuning/start-training.ts';
import { dropPreparedThread } from '../run/prepared-thread.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { formatBytes } from '../terminal/format.ts';
import { fetchModel } from './fetch-model.ts';
import type { TrainRequest } from './train.ts';

/** What `vulntune train` does. */
export async function trainFromConfig(
	request: TrainRequest,
	context: CommandContext,
): Promise<CommandResult> {
	const { dryRun, download = false, ...mode } = request;
	const config = { ...request.config, model: await fetchModel(request.config.model, download, context) };
	if (dryRun) {
		await dropPreparedThread();
		await noteRun(config.output, mode, context.progress.note);
		return describePlan({ ...request, config }, context.progress.note);
	}
	const onEvent = (event: TrainingEvent) => showEvent(event, context);
	return describeOutcome(await startTraining(config, mode, onEvent, context.interruption()));
}

/**
 * A plan of a run that is there, or is computed now, is read too; one that would be refused says so. Throws what a run throws whose
 * output holds something else.
 */
async function noteRun(
	output: string,
	mode: Pick<TrainRequest, 'resume' | 'overwrite'>,
	note: (line: string) => void,
): Promise<void> {
	const { refuseExistingRun, runFolder } = await import('../run/run-folder.ts');
	try {
		refuseExistingRun(runFolder(output), mode);
	} catch (error) {
		if (!(error instanceof VulntuneError) || error.code.startsWith('OUTPUT_')) throw error;
		if (error.code !== 'RUN_EXISTS') return;
		note(`${output} holds a run already: --resume goes on with it, --overwrite replaces it`);
	}
}

// The rooms of a plan hold the engine, which a run loads on its own thread: a run starts without them.
async function describePlan(
	{ config, allowOtherBase, configComment }: TrainRequest,
	note: (line: string) => void,
): Promise<CommandResult> {
	if (config.method.type === 'ngram') {
		const { planNgram, renderNgramPlan } = await import('../plan/plan-ngram.ts');
		const plan = await planNgram(config, { note });
		return { data: plan, text: renderNgramPlan(plan) };
	}
	const [{ planTraining }, { renderPlan }] = await Promise.all([
		import('../plan/plan-training.ts'),
		import('../plan/render-plan.ts'),
	]);
	const plan = await planTraining(config, { allowOtherBase, note });
	return { data: plan, text: renderPlan(plan, configComment) };
}

/** Draws what a training tells. */
export function showEvent(event: TrainingEvent, { progress }: CommandContext): void {
	switch (event.type) {
		case 'note':
			progress.note(event.line);
			break;
		case 'training': {
			const { epoch, epochs, pack, packs, tokensPerSecond, secondsLeft, residentBytes, deviceBytes, loss } =
				event;
			const rate = `${Math.round(tokensPerSecond)} tokens/s`;
			const onCard = deviceBytes === undefined ? '' : `, card ${formatBytes(deviceBytes)}`;
			const lossText = loss === null ? '' : `, loss ${loss.toFixed(4)}`;
			progress.update({
				task: 'training',
				done: (epoch - 1) * packs + pack,
				total: epochs * packs,
				unit: 'sequences',
				detail: `epoch ${epoch} of ${epochs}${lossText}, ${rate}, ${formatBytes(residentBytes)}${onCard}`,
				secondsLeft,
			});
			break;
		}
		case 'scoring':
			progress.update({
				task: `scoring ${event.split}`,
				done: event.done,
				total: event.total,
				unit: 'sequences',
			});
			break;
		case 'record':
			if (event.record.type === 'epoch') progress.note(epochLine(event.record));
			break;
	}
}

function epochLine(record: Extract<TrainingEvent, { type: 'record' }>['record'] & { type: 'epoch' }): string {
	const { loss, rocAuc, f1 } = record.validation;
	const number = (value: number | null) => (value === null ? 'undefined' : value.toFixed(4));
	const at = f1 === null ? '' : ' (at its best threshold)';
	return `epoch ${record.epoch}: validation loss ${loss.toFixed(4)}, ROC AUC ${number(rocAuc)}, F1 ${number(f1)}${at}`;
}

/** What a run came to, for its reader. Throws INTERRUPTED, with what goes on from there. */
export function describeOutcome(outcome: RunOutcome): CommandResult {
	if (outcome.status === 'interrupted') {
		throw new VulntuneError({
			code: 'INTERRUPTED',
			kind: 'interrupted',
			message:
				outcome.startsAnew === true
					? 'stopped; a fit of n-grams is short, and nothing of it is kept'
					: 'stopped; everything up to the last sequence is saved',
			place: outcome.output,
			remedy: `Go on with: vulntune train ${path.join(outcome.output, 'config.yaml')} --resume`,
		});
	}
	if (outcome.status === 'followed') return { data: outcome, text: '' };
	if (outcome.status === 'alreadyFinished') {
		return { data: outcome, text: `The run in ${outcome.output} is finished; nothing was changed.` };
	}
	const { output, record, comparison } = outcome.summary;
	const isNgram = comparison.rows[0]!.name === 'ngram';
	const text = [
		isNgram
			? 'On the test split:'
			: `Epoch ${record.bestEpoch} was the best on validation. On the test split:`,
		'',
		renderComparison(comparison),
		...truncationNote(record.truncated),
		'',
		`Everything is in ${output}: adapter, metrics, predictions, report.html.`,
	].join('\n');
	const { bestEpoch, truncated } = record;
	return { data: { status: 'finished', output, bestEpoch, truncated, comparison }, text };
}
