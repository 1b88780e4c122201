import { isDeepStrictEqual } from 'node:util';
import { inputError } from '@vulntune/engine';

/** A question and its two answers in tokens, as a tokenizer makes them of the whole text. */
export interface Answers {
	/** What follows a function in either case: the prompt, and what both answers begin with. */
	readonly question: readonly number[];
	/** What only one of them goes on with; never empty, and different from the first token on. */
	readonly yes: readonly number[];
	readonly no: readonly number[];
}

/** The texts of the `nextToken` section of a config. */
export interface AnswerTexts {
	readonly prompt: string;
	readonly positive: string;
	readonly negative: string;
}

/**
 * Encodes each answer as it follows the prompt, and cuts both where they part. So an answer is scored in the tokens that the model
 * would say, be it one or several, and a tokenizer that puts a mark of its own before every text (Llama 2's) does so once.
 *
 * Throws ANSWER_TOKENS where one answer begins with the other: nothing tells them apart.
 */
export function encodeAnswers(
	encode: (text: string) => ArrayLike<number>,
	{ prompt, positive, negative }: AnswerTexts,
): Answers {
	const [yes, no] = [positive, negative].map((answer) => Array.from(encode(prompt + answer))) as [
		number[],
		number[],
	];
	if (positive.trim() === negative.trim()) {
		throw inputError('ANSWER_TOKENS', 'the two answers are the same, white space aside', {
			place: 'nextToken',
			remedy: 'Give nextToken.positive and nextToken.negative different words.',
		});
	}
	let common = 0;
	while (common < Math.min(yes.length, no.length) && yes[common] === no[common]) common += 1;
	if (common === yes.length || common === no.length) {
		const texts = `${JSON.stringify(positive)} and ${JSON.stringify(negative)}`;
		throw inputError('ANSWER_TOKENS', `one of the answers ${texts} begins with the tokens of the other`, {
			place: 'nextToken',
			remedy: 'Choose answers of which neither begins with the other.',
		});
	}
	return { question: yes.slice(0, common), yes: yes.slice(common), no: no.slice(common) };
}

/** What lies behind the question in a pack: of each answer all tokens that another one of it follows. */
export function answerBranches({ no, yes }: Answers): readonly (readonly number[])[] {
	return [no.slice(0, -1), yes.slice(0, -1)];
}

/**
 * Refuses to score other answers than a detector learnt to give: those of a tokenizer that has changed, or of a version that took the
 * first token of each answer for the whole of it.
 *
 * @param learnt undefined for a detector of the first versions
 * @throws VulntuneError ADAPTER_OTHER_ANSWERS
 */
export function requireLearnt(learnt: Answers | undefined, asked: Answers, place: string): void {
	const isLearnt =
		learnt === undefined ? answerBranches(asked).flat().length === 0 : isDeepStrictEqual(learnt, asked);
	if (isLearnt) return;
	const reason =
		learnt === undefined
			? 'it is of a version that scored the first token of an answer alone'
			: 'the tokenizer makes other tokens of them than it did in training';
	throw inputError('ADAPTER_OTHER_ANSWERS', `the adapter has not learnt to give these answers: ${reason}`, {
		place,
		remedy:
			learnt === undefined
				? 'Train it again with this version, or evaluate it with its own.'
				: 'Put back the base model with the tokenizer that the adapter was trained with.',
	});
}
