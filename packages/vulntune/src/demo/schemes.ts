import type { Draw } from './draw.ts';
import { block, fill, type Statement } from './text.ts';
import type { ChoiceWeakness, FlowWeakness, Guard } from './weakness.ts';

/**
 * How the vulnerable and the fixed version of a function differ. All but the plain schemes keep every statement
 * and change only what refers to what: both versions have the same words, and mostly the same short runs of
 * characters, so that counting them tells little.
 */
export type FlowScheme = keyof typeof flowSchemeWeights;
export type ChoiceScheme = keyof typeof choiceSchemeWeights;
export type Scheme = FlowScheme | ChoiceScheme;

/**
 * The order of check and use is the relation that a small model learns first, names that have to be matched the
 * last; the weights see to it that a model can tell most pairs and no count of words can.
 */
export const flowSchemeWeights = {
	/** The check comes after the use. */
	lateCheck: 32,
	/** The check only writes a message; another condition leaves the function instead. */
	checkWithoutExit: 18,
	/** The cleaning is done for the harmless use instead of the dangerous one. */
	cleaningMisplaced: 12,
	/** The check, or the cleaning, is applied to another variable. */
	wrongVariable: 8,
	/** The cleaned copy goes to a harmless use, the original to the dangerous one. */
	cleanedCopyUnused: 6,
	/** The checked variable gets a new value from outside before its use. */
	staleCheck: 6,
	/** The condition lets pass what it should refuse. */
	negatedCondition: 4,
	/** There is no check at all (plain: visible to a count of words). */
	missingCheck: 22,
} as const;

export const choiceSchemeWeights = {
	/** The weak means serves the sensitive purpose, the strong one the harmless purpose. */
	swappedMeans: 55,
	/** The same, by way of variables. */
	swappedVariables: 15,
	/** Only a weak means is there (plain: visible to a count of words). */
	weakOnly: 30,
} as const;

/** The statements that matter, in order, for each version. Both have the same number of statements. */
export interface Core {
	readonly vulnerable: readonly Statement[];
	readonly fixed: readonly Statement[];
}

/** The names, texts and choices that one function's core is made with. */
export interface FlowParts {
	/** Goes to the dangerous use. */
	readonly a: string;
	/** Another value from outside, of the same type. */
	readonly b: string;
	/** A fresh name of the same kind. */
	readonly c: string;
	/** A name for what the dangerous use declares. */
	readonly y: string;
	/** A key for sources and records. */
	readonly s: string;
	readonly guard: Guard;
	readonly cleaner: string;
	readonly sink: string;
	readonly harmless: string;
	/** A second source for `a`. */
	readonly source: string;
	readonly exit: string;
	readonly distractor: Statement;
}

/** True where the scheme can be applied to the weakness. */
export function applies(scheme: FlowScheme, weakness: FlowWeakness): boolean {
	return weakness.cleaners.length > 0 || (scheme !== 'cleanedCopyUnused' && scheme !== 'cleaningMisplaced');
}

export function flowCore(draw: Draw, scheme: FlowScheme, weakness: FlowWeakness, parts: FlowParts): Core {
	const { a, b, c, y, s, exit, guard } = parts;
	const on = (template: string, x: string) => fill(template, { x, y, s });
	const sink = (x: string): Statement => [on(parts.sink, x)];
	const harmless = (x: string): Statement => [on(parts.harmless, x)];
	const refuse = (condition: string, x: string): Statement => block(`if (${on(condition, x)})`, [exit]);
	const message = `log.warn("odd ${s}");`;

	/** Puts the harmless use of a variable at the same random place of both versions. */
	function withHarmless(x: string, vulnerable: readonly Statement[], fixed: readonly Statement[]): Core {
		const place = draw.below(vulnerable.length + 1);
		return {
			vulnerable: vulnerable.toSpliced(place, 0, harmless(x)),
			fixed: fixed.toSpliced(place, 0, harmless(x)),
		};
	}

	switch (scheme) {
		case 'wrongVariable': {
			if (draw.chance(0.35) && weakness.cleaners.length > 0) {
				const clean = (x: string): Statement => [`${x} = ${on(parts.cleaner, x)};`];
				return withHarmless(b, [clean(b), sink(a)], [clean(a), sink(a)]);
			}
			if (draw.chance(0.4)) {
				const onlyIf = (x: string): Statement => block(`if (${on(guard.good, x)})`, [on(parts.sink, a)]);
				return withHarmless(b, [onlyIf(b)], [onlyIf(a)]);
			}
			return withHarmless(b, [refuse(guard.bad, b), sink(a)], [refuse(guard.bad, a), sink(a)]);
		}
		case 'lateCheck':
			return withHarmless(b, [sink(a), refuse(guard.bad, a)], [refuse(guard.bad, a), sink(a)]);
		case 'staleCheck': {
			const renew: Statement = [`${a} = ${on(parts.source, a)};`];
			const check = refuse(guard.bad, a);
			return withHarmless(b, [check, renew, sink(a)], [renew, check, sink(a)]);
		}
		case 'cleaningMisplaced': {
			const cleaned = (x: string) => on(parts.cleaner, x);
			return draw.chance(0.5)
				? { vulnerable: [sink(a), harmless(cleaned(b))], fixed: [sink(cleaned(a)), harmless(b)] }
				: { vulnerable: [harmless(cleaned(b)), sink(a)], fixed: [harmless(b), sink(cleaned(a))] };
		}
		case 'cleanedCopyUnused': {
			const copy: Statement = [`${weakness.type} ${c} = ${on(parts.cleaner, a)};`];
			return draw.chance(0.5)
				? { vulnerable: [copy, sink(a), harmless(c)], fixed: [copy, sink(c), harmless(a)] }
				: { vulnerable: [copy, harmless(c), sink(a)], fixed: [copy, harmless(a), sink(c)] };
		}
		case 'negatedCondition': {
			if (draw.chance(0.5)) {
				const onlyIf = (condition: string): Statement => block(`if (${on(condition, a)})`, sink(a));
				return withHarmless(b, [onlyIf(guard.bad)], [onlyIf(guard.good)]);
			}
			return withHarmless(b, [refuse(guard.good, a), sink(a)], [refuse(guard.bad, a), sink(a)]);
		}
		case 'checkWithoutExit': {
			const check = (then: string): Statement => block(`if (${on(guard.bad, a)})`, [then]);
			const unrelated = (then: string): Statement => block('if (queue.isFull())', [then]);
			const vulnerable = [check(message), unrelated(exit)];
			const fixed = [check(exit), unrelated(message)];
			return draw.chance(0.5)
				? { vulnerable: [...vulnerable, sink(a), harmless(b)], fixed: [...fixed, sink(a), harmless(b)] }
				: {
						vulnerable: [...vulnerable.toReversed(), sink(a), harmless(b)],
						fixed: [...fixed.toReversed(), sink(a), harmless(b)],
					};
		}
		case 'missingCheck':
			return withHarmless(b, [parts.distractor, sink(a)], [refuse(guard.bad, a), sink(a)]);
	}
}

/** `strong` and `weak` are names of variables. */
export function choiceCore(
	draw: Draw,
	scheme: ChoiceScheme,
	weakness: ChoiceWeakness,
	strong: string,
	weak: string,
): Core {
	const kind = draw.below(weakness.strong.length);
	const makeStrong = (x: string): Statement => [fill(weakness.strong[kind]!, { x })];
	const makeWeak = (x: string): Statement => [fill(weakness.weak[kind]!, { x })];
	const use = draw.below(weakness.sensitive.length);
	const sensitive = (x: string): Statement => [fill(weakness.sensitive[use]!, { x })];
	const harmless = (x: string): Statement => [fill(weakness.harmless[use]!, { x })];
	if (scheme === 'weakOnly') {
		return {
			vulnerable: [makeWeak(strong), sensitive(strong)],
			fixed: [makeStrong(strong), sensitive(strong)],
		};
	}
	if (scheme === 'swappedMeans') {
		const strongly = meansOf(makeStrong(strong));
		const weakly = meansOf(makeWeak(weak));
		const vulnerable = [sensitive(weakly), harmless(strongly)];
		const fixed = [sensitive(strongly), harmless(weakly)];
		return draw.chance(0.5)
			? { vulnerable, fixed }
			: { vulnerable: vulnerable.toReversed(), fixed: fixed.toReversed() };
	}
	const made = draw.shuffle([makeStrong(strong), makeWeak(weak)]);
	return draw.chance(0.5)
		? {
				vulnerable: [...made, sensitive(weak), harmless(strong)],
				fixed: [...made, sensitive(strong), harmless(weak)],
			}
		: {
				vulnerable: [...made, harmless(strong), sensitive(weak)],
				fixed: [...made, harmless(weak), sensitive(strong)],
			};
}

/** The expression of a declaration `Type name = expression;`. */
function meansOf([declaration]: Statement): string {
	return declaration!.slice(declaration!.indexOf(' = ') + 3, -1);
}
