import { describeJson, isJsonObject, ownValue, quoteName } from '../json.ts';
import { type KeyTable, refuseUnknownKeys } from '../known-keys.ts';
import { expressionDanger } from './check-expression.ts';
import type { Pattern } from './compile-pattern.ts';
import { splitBehaviors } from './split-text.ts';
import { formatError, unsupportedError } from './tokenizer-errors.ts';
import { stepKeys } from './tokenizer-keys.ts';

const maxDepth = 16;

/** A step of the tokenizer; a sequence of steps holds them under one of four names. */
export interface Component {
	readonly type: string;
	readonly pattern?: Pattern;
	readonly content?: string;
	readonly prepend?: string;
	readonly strip_left?: boolean;
	readonly strip_right?: boolean;
	readonly individual_digits?: boolean;
	readonly add_prefix_space?: boolean;
	readonly use_regex?: boolean;
	readonly behavior?: string;
	readonly invert?: boolean;
	readonly replacement?: string;
	readonly prepend_scheme?: string;
	readonly split?: boolean;
	readonly clean_text?: boolean;
	readonly handle_chinese_chars?: boolean;
	readonly strip_accents?: boolean | null;
	readonly lowercase?: boolean;
	readonly normalizers?: readonly (Component | null)[];
	readonly pretokenizers?: readonly (Component | null)[];
	readonly decoders?: readonly (Component | null)[];
	readonly processors?: readonly (Component | null)[];
}

const sequenceFields = ['normalizers', 'pretokenizers', 'decoders', 'processors'] as const;
const flags = [
	'strip_left',
	'strip_right',
	'individual_digits',
	'add_prefix_space',
	'use_regex',
	'invert',
	'split',
	'clean_text',
	'handle_chinese_chars',
	'strip_accents',
	'lowercase',
];
const choices: Readonly<Record<string, readonly string[]>> = {
	behavior: splitBehaviors,
	prepend_scheme: ['always', 'first', 'never'],
};
/** What a step cannot do without. */
const required: Readonly<Record<string, readonly string[]>> = {
	BertNormalizer: ['clean_text', 'handle_chinese_chars', 'lowercase'],
	Prepend: ['prepend'],
	Replace: ['pattern', 'content'],
	Split: ['pattern', 'behavior'],
	Metaspace: ['replacement'],
};

/**
 * Checks a step with all in it. Each key is used, known to change nothing, or refused by name. Decoders are taken as they
 * are: no id depends on them.
 */
export function parseComponent(
	json: unknown,
	role: keyof typeof stepKeys | 'decoder',
	place: string,
	depth = 0,
): Component | null {
	if (json === null) return null;
	if (!isJsonObject(json)) throw formatError(`an object is expected, found ${describeJson(json)}`, place);
	if (depth > maxDepth) throw formatError(`steps are nested more than ${maxDepth} deep`, place);
	const type = ownValue(json, 'type');
	if (typeof type !== 'string')
		throw formatError(`type must be a string, found ${describeJson(type)}`, place);
	if (role !== 'decoder') checkStep(json, type, role, place);
	if (ownValue(json, 'pattern') !== undefined) checkPattern(ownValue(json, 'pattern'), place);
	const sequences = sequenceFields.flatMap((name) => {
		const parts = ownValue(json, name);
		if (parts === undefined) return [];
		if (!Array.isArray(parts))
			throw formatError(`${name} must be a list, found ${describeJson(parts)}`, place);
		return [[name, parts.map((part, index) => parseComponent(part, role, `${place}: ${index}`, depth + 1))]];
	});
	return { ...json, type, ...Object.fromEntries(sequences) };
}

function checkStep(json: object, type: string, role: keyof typeof stepKeys, place: string): void {
	const tables: Readonly<Record<string, KeyTable>> = stepKeys[role];
	if (!Object.hasOwn(tables, type)) {
		throw unsupportedError(`a ${role} of type ${quoteName(type)} is not supported`, place);
	}
	refuseUnknownKeys(json, tables[type]!, (key, message) => unsupportedError(message, `${place}: ${key}`));
	for (const name of required[type] ?? []) {
		if ((ownValue(json, name) ?? null) === null) throw formatError(`${name} is missing`, place);
	}
	const isUnprefixed = ownValue(json, 'add_prefix_space') === false;
	if (type === 'Metaspace' && isUnprefixed && ownValue(json, 'prepend_scheme') !== 'never') {
		throw formatError('add_prefix_space says otherwise than prepend_scheme', place);
	}
	for (const [name, value] of Object.entries(json)) {
		if (value === null) continue;
		if (flags.includes(name) && typeof value !== 'boolean')
			throw formatError(`${name} must be true or false`, place);
		if (['content', 'prepend', 'replacement'].includes(name) && typeof value !== 'string') {
			throw formatError(`${name} must be a string`, place);
		}
		if (Object.hasOwn(choices, name) && !choices[name]!.includes(value)) {
			throw formatError(`${name} must be ${choices[name]!.join(', ')}, found ${describeJson(value)}`, place);
		}
	}
}

function checkPattern(pattern: unknown, place: string): void {
	const expression = isJsonObject(pattern) ? ownValue(pattern, 'Regex') : undefined;
	const text = expression ?? (isJsonObject(pattern) ? ownValue(pattern, 'String') : undefined);
	if (typeof text !== 'string') throw formatError('pattern must hold a Regex or a String', place);
	const danger = typeof expression === 'string' ? expressionDanger(expression) : undefined;
	if (danger === undefined) return;
	throw unsupportedError(`the pattern ${quoteName(text)} could run without end: ${danger}`, place);
}
