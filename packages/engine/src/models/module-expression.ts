import { expressionDanger } from '../formats/tokenizer/check-expression.ts';

/** Longer names of modules are none; what an expression may try with them has a bound. */
export const maxModuleLength = 128;
/** Of names so short, four parts of any length are no danger; the expressions that trainers write have as many. */
const maxUnbounded = 4;

/** What Python's expressions have and JavaScript's read otherwise, without an error: \A, \Z, {,n} and a bracket first in a class. */
const otherMeaning = /\\[AZ]|\{,|\[\^?\]/;

/**
 * Whether a name matches a regular expression of Python's from its first character to its last, as `re.fullmatch` says. Throws an
 * Error with the reason where JavaScript would read the expression otherwise, or could try it without end.
 */
export function fullMatch(expression: string): (name: string) => boolean {
	const other = otherMeaning.exec(expression)?.[0];
	if (other !== undefined) throw new Error(`${other} means something else in JavaScript`);
	const danger = expressionDanger(expression, maxUnbounded);
	if (danger !== undefined) throw new Error(`it could run without end: ${danger}`);
	const compiled = new RegExp(`^(?:${expression})$`);
	return (name) => compiled.test(name);
}
