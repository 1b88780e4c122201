import { bertNormalizer } from './bert-normalizer.ts';
import { compilePattern } from './compile-pattern.ts';
import type { Component } from './components.ts';
import { lowercase } from './lowercase.ts';

/** Text to text: what is done to a text before it is split. */
export type Normalizer = (text: string) => string;

/** Builds a checked normalizer of tokenizer.json: the same text as the reference implementation's, character by character. */
export function buildNormalizer(component: Component | null): Normalizer {
	if (component === null) return (text) => text;
	switch (component.type) {
		case 'Sequence': {
			const steps = (component.normalizers ?? []).map(buildNormalizer);
			return (text) => steps.reduce((result, step) => step(result), text);
		}
		case 'BertNormalizer':
			return bertNormalizer(component);
		case 'NFC':
		case 'NFD':
		case 'NFKC':
		case 'NFKD': {
			const form = component.type;
			return (text) => text.normalize(form);
		}
		case 'Lowercase':
			return lowercase;
		case 'Prepend':
			return (text) => (text === '' ? text : component.prepend + text);
		case 'Replace': {
			const expression = compilePattern(component.pattern!);
			// a function, since `$&` in a string would stand for the match
			return (text) => text.replace(expression, () => component.content as string);
		}
		case 'Strip':
			return (text) => {
				const left = component.strip_left ? text.replace(/^\p{White_Space}+/u, '') : text;
				return component.strip_right ? left.replace(/\p{White_Space}+$/u, '') : left;
			};
		case 'StripAccents':
			return (text) => text.replace(/\p{M}+/gu, '');
		default:
			throw new TypeError(`unknown normalizer ${component.type}`);
	}
}
