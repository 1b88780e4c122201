import type { Evaluation } from '../../metrics/evaluation.ts';

/** A number of an evaluation by its name: `rocAuc`, `pairs.ranking`, `recallByWeakness.CWE-79`. */
export interface FlatMetric {
	readonly metric: string;
	readonly value: number | null;
	readonly low: number | null;
	readonly high: number | null;
	readonly reason: string | null;
}

/** Every number of an evaluation, whatever metrics it has. */
export function flattenEvaluation(evaluation: Evaluation): FlatMetric[] {
	return walk(evaluation, '');
}

function walk(node: unknown, name: string): FlatMetric[] {
	if (typeof node === 'number') return [{ metric: name, value: node, low: null, high: null, reason: null }];
	if (typeof node !== 'object' || node === null) return [];
	if (Array.isArray(node)) {
		return node.flatMap((item: { readonly weakness?: string }, index) =>
			walk(withoutName(item), `${name}.${item.weakness ?? index}`),
		);
	}
	if ('value' in node) {
		const { value, low, high, reason, ...rest } = node as Partial<Record<string, unknown>>;
		const flat = {
			metric: name,
			value: numberOf(value),
			low: numberOf(low),
			high: numberOf(high),
			reason: typeof reason === 'string' ? reason : null,
		};
		return [flat, ...parts(rest, name)];
	}
	return parts(node, name);
}

function parts(node: object, name: string): FlatMetric[] {
	const prefix = name === '' ? '' : `${name}.`;
	return Object.entries(node).flatMap(([key, child]) => walk(child, `${prefix}${key}`));
}

function withoutName({ weakness: _weakness, ...rest }: { readonly weakness?: string }): object {
	return rest;
}

function numberOf(value: unknown): number | null {
	return typeof value === 'number' ? value : null;
}
