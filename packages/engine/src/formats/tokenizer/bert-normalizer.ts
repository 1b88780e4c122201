import type { Component } from './components.ts';
import { lowercase } from './lowercase.ts';

/** What is no character of a text: NUL, the replacement character, and controls but tab and line ends. */
const unclean = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}]/gu;
const whiteSpace = /\p{White_Space}/gu;
/** CJK ideographs by block, which are words by themselves (Devlin et al. 2019). */
const ideograph =
	/[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;

/** BERT's normalisation, in its order; accents go with capitals where nothing is said of them. */
export function bertNormalizer(step: Component): (text: string) => string {
	const stripsAccents = step.strip_accents ?? step.lowercase === true;
	return (text) => {
		let result = step.clean_text ? text.replace(unclean, '').replace(whiteSpace, ' ') : text;
		if (step.handle_chinese_chars) result = result.replace(ideograph, ' $& ');
		if (stripsAccents) result = result.normalize('NFD').replace(/\p{Mn}/gu, '');
		return step.lowercase ? lowercase(result) : result;
	};
}
