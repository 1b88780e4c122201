import { describeData } from '../data/summary.ts';
import { describeShared } from '../packing/describe-shared.ts';
import { aboutDuration, formatBytes, formatDuration, formatNumber } from '../terminal/format.ts';
import type { TrainingPlan } from './plan-training.ts';

const precisionText: Readonly<Record<TrainingPlan['precision'], string>> = {
	fp32: 'fp32',
	bf16: 'bf16',
	int8: 'int8 for products with the base, bf16 beside them',
};

/** On which sizes of card the run would fit, in one line. */
function describeCards({ cards }: TrainingPlan): string {
	const said = cards.map(({ gigabytes, fits, checkpointing }) => {
		const how = { false: 'yes', true: 'with checkpointing', host: 'with checkpointing on the host' } as const;
		return `${gigabytes} GB ${fits ? how[`${checkpointing}`] : 'no'}`;
	});
	const [least] = cards.filter(({ fits }) => fits);
	const bytes = (least ?? cards.at(-1)!).bytes;
	return `${said.join(', ')} (about ${formatBytes(bytes)} at least)`;
}

/** Longer than anybody waits. */
const weekSeconds = 7 * 86_400;

/**
 * The plan for people.
 *
 * @param comment what the config says of itself at its head: shown where its model or its data isn't at hand
 */
export function renderPlan(plan: TrainingPlan, comment: readonly string[] = []): string {
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
			`about ${formatBytes(memory.total)}: base ${formatBytes(memory.base)}, trained ${formatBytes(memory.trained)}, activations ${formatBytes(memory.activations)}, kept for reuse ${formatBytes(memory.kept)}, around it ${formatBytes(memory.around)}`,
		],
		...(plan.checkpointing
			? [['', 'with the activations of one block at a time (training.checkpointing)'] as const]
			: []),
		...(memory.onHost > 0
			? [['', `and ${formatBytes(memory.onHost)} of this machine's own, for what enters the blocks`] as const]
			: []),
		...(plan.availableBytes !== null && memory.total > plan.availableBytes
			? [['', `more than this machine has (${formatBytes(plan.availableBytes)})`] as const]
			: []),
		['cards', describeCards(plan)],
		['backend', plan.backend],
	);
	if (seconds !== null) {
		const { firstEpoch, epoch, total } = seconds;
		const each =
			epoch === firstEpoch || total === firstEpoch
				? `${aboutDuration(firstEpoch)} an epoch`
				: `${aboutDuration(firstEpoch)} the first epoch, ${formatDuration(epoch)} a further one`;
		lines.push(['time', `${each}, ${formatDuration(total)} in all`]);
		if (seconds.total > weekSeconds) {
			const speed = (plan.operations! / weekSeconds / 1e12).toFixed(1);
			lines.push(['', `more than a week on this machine: for a week it takes ${speed} Tflop/s`]);
		}
	}
	lines.push(['output', plan.output]);
	const isComplete = model.source === 'folder' && !('missing' in data);
	const said =
		isComplete || comment.length === 0 ? [] : ['', 'The config says:', ...comment.map((line) => `  ${line}`)];
	return [...lines.map(([name, text]) => `${name.padEnd(10)}${text}`), ...said].join('\n');
}
