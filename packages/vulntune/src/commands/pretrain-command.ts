import path from 'node:path';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { planPretraining, renderPretrainPlan } from '../pretraining/plan.ts';
import type { PretrainEvent, PretrainOutcome } from '../pretraining/run-pretraining.ts';
import type { PretrainInput } from '../pretraining/worker.ts';
import { startRun } from '../run/run-thread.ts';
import type { CommandContext, CommandResult } from '../terminal/context.ts';
import { formatBytes } from '../terminal/format.ts';
import type { PretrainRequest } from './pretrain.ts';

/** What `vulntune pretrain` does. */
export async function pretrainFromConfig(
	{ config, dryRun, ...mode }: PretrainRequest,
	context: CommandContext,
): Promise<CommandResult> {
	if (dryRun) {
		const plan = planPretraining(config, context.progress.note);
		return { data: plan, text: renderPretrainPlan(plan) };
	}
	const outcome = await startRun<PretrainInput, PretrainEvent, PretrainOutcome>(
		new URL('../pretraining/worker.ts', import.meta.url),
		{ config, mode },
		(event) => showEvent(event, context),
		context.interruption(),
	);
	return describeOutcome(outcome);
}

function showEvent(event: PretrainEvent, { progress }: CommandContext): void {
	switch (event.type) {
		case 'note':
			progress.note(event.line);
			break;
		case 'training': {
			const { step, steps, epoch, tokensPerSecond, residentBytes, loss } = event;
			const lossText = loss === null ? '' : `, loss ${loss.toFixed(4)}`;
			const rate = `${Math.round(tokensPerSecond)} tokens/s`;
			const detail = `epoch ${epoch}${lossText}, ${rate}, ${formatBytes(residentBytes)}`;
			progress.update({ task: 'pretraining', done: step, total: steps, unit: 'steps', detail });
			break;
		}
		case 'validating':
			break;
		case 'record':
			if (event.record.type === 'validation') {
				const { step, validation } = event.record;
				const { loss, perplexity } = validation;
				progress.note(
					`step ${step}: validation loss ${loss.toFixed(4)}, perplexity ${perplexity.toFixed(2)}`,
				);
			}
			break;
	}
}

function describeOutcome(outcome: PretrainOutcome): CommandResult {
	if (outcome.status === 'interrupted') {
		throw new VulntuneError({
			code: 'INTERRUPTED',
			kind: 'interrupted',
			message: 'stopped; everything up to the last sequence is saved',
			place: outcome.output,
			remedy: `Go on with: vulntune pretrain ${path.join(outcome.output, 'config.yaml')} --resume`,
		});
	}
	if (outcome.status === 'followed') return { data: outcome, text: '' };
	if (outcome.status === 'alreadyFinished') {
		return { data: outcome, text: `The run in ${outcome.output} is finished; nothing was changed.` };
	}
	const { model, steps, validation } = outcome;
	const text = [
		`${steps} steps; validation loss ${validation.loss.toFixed(4)}, perplexity ${validation.perplexity.toFixed(2)}.`,
		`The model is in ${model}: name it as the model of a config for vulntune train.`,
	].join('\n');
	return { data: outcome, text };
}
