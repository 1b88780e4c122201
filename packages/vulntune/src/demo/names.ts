import type { Draw } from './draw.ts';
import { capitalise } from './text.ts';

/** Who a function is generated for. Function names of the two never coincide, so neither do the functions. */
export type Purpose = 'dataset' | 'corpus';

const functionWords: Readonly<Record<Purpose, readonly string[]>> = {
	dataset: [
		'Remote',
		'Shared',
		'Daily',
		'Draft',
		'Guest',
		'Mobile',
		'Nested',
		'Partner',
		'Public',
		'Recent',
		'Signed',
		'Stored',
		'Team',
		'Weekly',
		'Custom',
		'Legacy',
		'Queued',
		'Bulk',
		'Branch',
		'Cloud',
		'Merged',
		'Sealed',
		'Urgent',
		'Yearly',
	],
	corpus: [
		'Active',
		'Backup',
		'Cached',
		'Client',
		'Default',
		'Empty',
		'External',
		'First',
		'Global',
		'Hidden',
		'Initial',
		'Local',
		'Main',
		'Monthly',
		'Open',
		'Parent',
		'Pending',
		'Private',
		'Raw',
		'Sample',
		'Single',
		'Test',
		'Upper',
		'Working',
	],
};

/** Names of variables; both purposes use them, so that the base knows them. */
const variables: readonly string[] = [
	'first',
	'second',
	'left',
	'right',
	'given',
	'wanted',
	'source',
	'name',
	'mark',
	'text',
	'detail',
	'other',
	'entry',
	'code',
	'choice',
	'answer',
];

/** Plain words for keys, labels and messages. */
export const plainWords: readonly string[] = [
	'alpha',
	'batch',
	'cache',
	'draft',
	'event',
	'frame',
	'guide',
	'input',
	'joint',
	'layer',
	'model',
	'order',
	'phase',
	'queue',
	'route',
	'shape',
	'stage',
	'topic',
	'value',
	'watch',
];

export function functionName(
	draw: Draw,
	purpose: Purpose,
	verbs: readonly string[],
	nouns: readonly string[],
): string {
	return draw.pick(verbs) + draw.pick(functionWords[purpose]) + capitalise(draw.pick(nouns));
}

/** `count` different variables: one word each, so that a small tokenizer has a token for it. */
export function variableNames(draw: Draw, count: number): string[] {
	return draw.sample(variables, count);
}
