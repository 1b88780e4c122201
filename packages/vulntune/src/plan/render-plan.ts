import { formatBytes, formatDuration, formatNumber } from '../cli/format.ts';
import { describeData } from '../data/summary.ts';
import { describeShared } from '../packing/describe-shared.ts';
import type { TrainingPlan } from './plan-training.ts';

const precisionText: Readonly<Record<TrainingPlan['precision'], string>> = {
	fp32: 'fp32',
	bf16: 'bf16',
	int8: 'int8 for products with the base, bf16 beside them',
};

/** The plan for people. */
export function renderPlan(plan: TrainingPlan): string {
	const { model, data, memoryBytes: memory, seconds } = plan;
	const lines: (readonly [string, string])[] = [
		[
			'model',
			`${model.name}${model.source === 'published' ? ' (not here; planned by its published shape)' : ''}`,
		],
		['', `${formatNumber(model.parameters)} parameters, ${model.layers} layers of ${model.hiddenSize}`],
		['method', `${plan.method} on a base in ${plan.base}`],
		['precision', precisionText[plan.precision]],
		['trainable', `${formatNumber(plan.trainable)} (${(100 * plan.trainableShare).toFixed(3)} %)`],
	];
	if ('missing' in data) {
		lines.push(['data', `${data.missing} is not there: no packs, no time`]);
	} else {
		lines.push(
			...describeData(data.summary),
			[
				'packs',
				`${data.packs} sequences, ${formatNumber(data.tokensPerEpoch)} tokens an epoch ${data.tokens}, ${(100 * data.efficiency).toFixed(1)} % full`,
			],
			...(data.sharedTokens > 0
				? [['', describeShared({ ...data, tokens: data.tokensPerEpoch })] as const]
				: []),
			['', `${data.ignored} functions left out as too long, ${data.truncated} cut`],
			['steps', `${data.steps} optimiser steps`],
			...(data.warmup === null ? [] : [['', data.warmup] as const]),
		);
	}
	lines.push(
		[
			'memory',
			`about ${formatBytes(memory.total)}: base ${formatBytes(memory.base)}, trained ${formatBytes(memory.trained)}, activations ${formatBytes(memory.activations)}`,
		],
		['backend', plan.backend],
	);
	if (seconds !== null) {
		lines.push([
			'time',
			`about ${formatDuration(seconds.epoch)} an epoch, ${formatDuration(seconds.total)} in all`,
		]);
	}
	lines.push(['output', plan.output]);
	return lines.map(([name, text]) => `${name.padEnd(10)}${text}`).join('\n');
}
