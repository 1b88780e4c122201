import { quoteName } from '../formats/json.ts';
import { fullMatch, maxModuleLength } from './module-expression.ts';

/** Makes the error for the value of a key of adapter_config.json: what is expected instead. */
type Wrong = (key: string, expected: string) => Error;
/** Makes the error for a key: what is wrong with it. */
type Refusal = (key: string, message: string) => Error;

/** Whether a module's name matches an expression of Python's from a file. Throws what `error` makes where it can't be read. */
export function expressionOf(expression: string, key: string, error: Refusal): (module: string) => boolean {
	try {
		const matches = fullMatch(expression);
		return (module) => module.length <= maxModuleLength && matches(module);
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw error(key, `the expression ${quoteName(expression)} can't be read: ${reason}`);
	}
}

/**
 * Whether PEFT adapts a module of a name, by its reading of `target_modules`, `exclude_modules`, `modules_to_save`, `layers_to_transform`
 * and `layers_pattern`.
 */
export function moduleSelection(
	json: Readonly<Record<string, unknown>>,
	targets: string | string[],
	error: Refusal,
	wrong: Wrong,
): (module: string) => boolean {
	const names = (key: string): string | string[] => {
		const value = json[key] ?? [];
		if (typeof value === 'string' || isNames(value)) return value;
		throw wrong(key, 'a list of names or a regular expression');
	};
	const matcher = (value: string | string[], key: string) => {
		if (typeof value === 'string') return value === '' ? () => false : expressionOf(value, key, error);
		return (module: string) => value.some((name) => module === name || module.endsWith(`.${name}`));
	};
	const isTarget =
		targets === 'all-linear' || targets === '' ? () => true : matcher(targets, 'target_modules');
	const isExcluded = matcher(names('exclude_modules'), 'exclude_modules');
	const saved = ((json.modules_to_save ?? []) as string[]).map((name) =>
		expressionOf(`(.*\\.)?${name}(\\..*)?`, 'modules_to_save', error),
	);
	// an expression says by itself which layers it means
	const inLayers =
		typeof targets === 'string' ? () => true : layerSelection(json, names('layers_pattern'), error, wrong);
	return (module) =>
		isTarget(module) && !isExcluded(module) && !saved.some((matches) => matches(module)) && inLayers(module);
}

function layerSelection(
	json: Readonly<Record<string, unknown>>,
	pattern: string | string[],
	error: Refusal,
	wrong: Wrong,
): (module: string) => boolean {
	const layers = json.layers_to_transform ?? [];
	const numbers: unknown = typeof layers === 'number' ? [layers] : layers;
	if (!Array.isArray(numbers) || !numbers.every(Number.isInteger)) {
		throw wrong('layers_to_transform', 'a number or a list of numbers');
	}
	if (numbers.length === 0) return () => true;
	const parents = typeof pattern === 'string' && pattern !== '' ? [pattern] : Array.from(pattern);
	const isParent = parents.map((parent) => expressionOf(parent, 'layers_pattern', error));
	/** The first number that something else follows, and that stands after what `fits`. */
	const layerOf = (parts: readonly string[], fits: (before: readonly string[]) => boolean) =>
		parts.find(
			(part, index) => /^\d+$/.test(part) && index < parts.length - 1 && fits(parts.slice(0, index)),
		);
	return (module) => {
		const parts = module.split('.');
		const found =
			isParent.length === 0
				? layerOf(parts, (before) => before.length >= 2)
				: isParent.map((matches) => layerOf(parts, (before) => endings(before).some(matches))).find(Boolean);
		return found !== undefined && numbers.includes(Number(found));
	};
}

/** `a.b.c`, `b.c`, `c` */
function endings(parts: readonly string[]): string[] {
	return parts.map((_, index) => parts.slice(index).join('.'));
}

/** Whether a value from a file is a list of names. */
export function isNames(value: unknown): value is string[] {
	return Array.isArray(value) && value.every((name) => typeof name === 'string');
}
