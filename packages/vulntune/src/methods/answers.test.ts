import { describe, expect, it } from 'vitest';
import { answerBranches, encodeAnswers, requireLearnt } from './answers.ts';

const texts = { prompt: ' vulnerable?', positive: ' YES', negative: ' NO' };

/** A tokenizer that knows these pieces, the longest first; `lead` is put before every text, as Llama 2's does. */
function pieces(known: readonly string[], lead = '') {
	const ids = new Map(known.map((piece, id) => [piece, id]));
	return (text: string): number[] => {
		const found: number[] = [];
		for (let rest = lead + text; rest !== ''; ) {
			const piece = known.filter((each) => rest.startsWith(each)).sort((a, b) => b.length - a.length)[0]!;
			found.push(ids.get(piece)!);
			rest = rest.slice(piece.length);
		}
		return found;
	};
}

describe('the answers in tokens', () => {
	it('are what follows the question, be it one token or several', () => {
		const encode = pieces([' vulnerable', '?', ' Y', 'ES', ' NO']);
		expect(encodeAnswers(encode, texts)).toEqual({ question: [0, 1], yes: [2, 3], no: [4] });
	});

	it('part after what both begin with, which is a part of the question', () => {
		const encode = pieces(['_', ' vulnerable', '?', ' ', 'Y', 'ES', 'NO'], '_');
		const answers = encodeAnswers(encode, texts);
		expect(answers).toEqual({ question: [0, 1, 2, 3], yes: [4, 5], no: [6] });
		expect(answerBranches(answers)).toEqual([[], [4]]);
	});

	it('take in the end of a prompt that melts into them', () => {
		const encode = pieces([' vulnerable?', ' ', ' YES', ' NO']);
		const split = { prompt: ' vulnerable? ', positive: 'YES', negative: 'NO' };
		expect(encodeAnswers(encode, split)).toEqual({ question: [0], yes: [2], no: [3] });
	});

	it('differ by more than white space', () => {
		const encode = pieces([' vulnerable?', ' NO', 'NO']);
		expect(() => encodeAnswers(encode, { ...texts, positive: 'NO' })).toThrow(/the same, white space aside/);
	});

	it.each([
		['NO', 'NO'],
		['NO', 'NOT'],
		['NOT', 'NO'],
	])('are refused where one begins with the other: %s, %s', (positive, negative) => {
		const encode = (text: string) => Array.from(text, (character) => character.charCodeAt(0));
		expect(() => encodeAnswers(encode, { prompt: '?', positive, negative })).toThrow(
			expect.objectContaining({ code: 'ANSWER_TOKENS', place: 'nextToken' }),
		);
	});
});

it('are scored only by a detector that learnt them', () => {
	const one = { question: [1], yes: [2], no: [3] };
	const several = { question: [1], yes: [2, 5], no: [3] };
	for (const learnt of [one, undefined]) expect(() => requireLearnt(learnt, one, 'a')).not.toThrow();
	expect(() => requireLearnt(several, several, 'a')).not.toThrow();
	const refusal = (reason: RegExp) =>
		expect.objectContaining({
			code: 'ADAPTER_OTHER_ANSWERS',
			place: 'a',
			message: expect.stringMatching(reason),
		});
	expect(() => requireLearnt(undefined, several, 'a')).toThrow(refusal(/scored the first token/));
	expect(() => requireLearnt(one, several, 'a')).toThrow(refusal(/other tokens/));
	expect(() => requireLearnt({ ...one, question: [0] }, one, 'a')).toThrow(refusal(/other tokens/));
});
