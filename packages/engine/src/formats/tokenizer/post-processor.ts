import { describeJson, isJsonObject, ownValue, quoteName } from '../json.ts';
import type { Component } from './components.ts';
import { formatError } from './tokenizer-errors.ts';

/** The ids that a template puts before and after a text. */
export interface SpecialTokensAround {
	readonly before: readonly number[];
	readonly after: readonly number[];
}

/** Reads a checked post-processor. Throws `TOKENIZER_FILE` where it names what is no token, or lacks the text. */
export function specialTokensAround(
	component: Component | null,
	idOfToken: ReadonlyMap<string, number>,
	place: string,
): SpecialTokensAround {
	const nothing = { before: [], after: [] };
	const idOf = (token: unknown, expected?: unknown): number => {
		const id = typeof token === 'string' ? idOfToken.get(token) : undefined;
		const found = typeof token === 'string' ? quoteName(token) : describeJson(token);
		if (id === undefined) throw formatError(`the template names ${found}, which is no token`, place);
		if (expected === undefined || expected === id) return id;
		throw formatError(
			`${found} has the id ${id} among the tokens, ${describeJson(expected)} in the template`,
			place,
		);
	};
	const idOfPair = (pair: unknown) => (Array.isArray(pair) ? idOf(pair[0], pair[1]) : idOf(pair));
	switch (component?.type) {
		case 'BertProcessing':
		case 'RobertaProcessing': {
			const [cls, sep] = [ownValue(component, 'cls'), ownValue(component, 'sep')];
			return { before: [idOfPair(cls)], after: [idOfPair(sep)] };
		}
		case 'TemplateProcessing':
			return readTemplate(component, idOf, place);
		case 'Sequence':
			return (component.processors ?? []).reduce<SpecialTokensAround>((inner, part) => {
				const outer = specialTokensAround(part, idOfToken, place);
				return { before: [...outer.before, ...inner.before], after: [...inner.after, ...outer.after] };
			}, nothing);
		default:
			return nothing;
	}
}

function readTemplate(
	component: Component,
	idOf: (token: unknown, expected?: unknown) => number,
	place: string,
): SpecialTokensAround {
	const single = ownValue(component, 'single');
	const items: readonly unknown[] = Array.isArray(single) ? single : [];
	const isText = (item: unknown) => isJsonObject(item) && ownValue(item, 'Sequence') !== undefined;
	if (items.filter(isText).length !== 1) throw formatError('the template must hold the text once', place);
	const idOfItem = (item: unknown): number => {
		const special = isJsonObject(item) ? ownValue(item, 'SpecialToken') : undefined;
		const name = isJsonObject(special) ? ownValue(special, 'id') : undefined;
		const described = ownValue(component, 'special_tokens');
		const entry = isJsonObject(described) && typeof name === 'string' ? ownValue(described, name) : undefined;
		const ids = isJsonObject(entry) ? ownValue(entry, 'ids') : undefined;
		return idOf(name, Array.isArray(ids) && ids.length === 1 ? ids[0] : ids);
	};
	const position = items.findIndex(isText);
	return { before: items.slice(0, position).map(idOfItem), after: items.slice(position + 1).map(idOfItem) };
}
