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

/** Words that precede a noun in a variable's name; both purposes use them, so that the base knows them. */
export const variableWords: readonly string[] = [
	'old',
	'new',
	'given',
	'other',
	'last',
	'next',
	'main',
	'user',
	'raw',
	'wanted',
	'source',
	'inner',
	'outer',
	'current',
	'base',
	'extra',
	'left',
	'right',
	'input',
	'remote',
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

/** `count` different names of variables made from the nouns: `path`, `oldPath`, `givenFile`. */
export function variableNames(draw: Draw, nouns: readonly string[], count: number): string[] {
	const names = new Set<string>();
	while (names.size < count) {
		const noun = draw.pick(nouns);
		names.add(draw.chance(0.6) ? noun : draw.pick(variableWords) + capitalise(noun));
	}
	return [...names];
}
