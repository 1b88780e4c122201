const maxOptional = 6;
const maxLength = 4096;
/** A repetition up to here is as good as an optional part; beyond, as one without bound. */
const maxSmallCount = 16;

/** What of an expression's branch may match in several lengths. */
interface Choices {
	unbounded: number;
	optional: number;
}

/** The branch being read and the worst of those before it, of the whole expression or of a group. */
interface Frame {
	readonly branch: Choices;
	readonly worst: Choices;
}

/**
 * Why a regular expression from a file is refused; undefined where it is not. JavaScript's engine goes back to try every
 * way in which repeated parts can share a text among them: without bound inside without bound, that takes longer than
 * anybody waits. The expressions that tokenizers split by need little: no repeated groups, and at most two repetitions
 * without bound in a branch.
 *
 * @param maxUnbounded parts of one branch that may match in several lengths: the power of a text's length that trying them all can take
 */
export function expressionDanger(source: string, maxUnbounded = 2): string | undefined {
	if (source.length > maxLength) return `it has ${source.length} characters`;
	const frames = [newFrame()];
	for (let at = 0; at < source.length; ) {
		const frame = frames.at(-1)!;
		const token = tokenAt(source, at);
		at += token.length;
		if (token.startsWith('(')) {
			frames.push(newFrame());
			continue;
		}
		if (token === '|') {
			endBranch(frame);
			continue;
		}
		if (/^\\([1-9]|k)/.test(token)) return 'it refers back to a group';
		const quantifier = quantifierAt(source, at);
		at += quantifier.length;
		if (token === ')' && frames.length > 1) {
			if (quantifier.repeats) return 'it repeats a group';
			frames.pop();
			endBranch(frame);
			add(frames.at(-1)!.branch, frame.worst);
		}
		add(frames.at(-1)!.branch, quantifier);
		const { unbounded, optional } = frames.at(-1)!.branch;
		if (unbounded > maxUnbounded) return `a branch repeats more than ${maxUnbounded} parts without bound`;
		if (optional > maxOptional) return `a branch has more than ${maxOptional} optional parts`;
	}
	return undefined;
}

function newFrame(): Frame {
	return { branch: { unbounded: 0, optional: 0 }, worst: { unbounded: 0, optional: 0 } };
}

function add(sum: Choices, { unbounded, optional }: Choices): void {
	sum.unbounded += unbounded;
	sum.optional += optional;
}

function endBranch({ branch, worst }: Frame): void {
	worst.unbounded = Math.max(worst.unbounded, branch.unbounded);
	worst.optional = Math.max(worst.optional, branch.optional);
	branch.unbounded = 0;
	branch.optional = 0;
}

/** An escape, a class in brackets, the opening of a group with its flags, or one character. */
const tokens = /\\[pPu]\{[^}]*\}|\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|\((?:\?(?:[a-z-]*[:=!]|<[=!]))?|[\s\S]/y;

function tokenAt(source: string, at: number): string {
	tokens.lastIndex = at;
	return tokens.exec(source)![0];
}

interface Quantifier extends Choices {
	/** In characters; 0 where there is none. */
	readonly length: number;
	/** Whether what is before it may match more than once. */
	readonly repeats: boolean;
}

const quantifiers = /(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})[?+]?/y;

function quantifierAt(source: string, at: number): Quantifier {
	quantifiers.lastIndex = at;
	const found = quantifiers.exec(source);
	if (found === null) return { length: 0, repeats: false, unbounded: 0, optional: 0 };
	const [text, least, comma, most] = found;
	const { length } = text;
	if (text.startsWith('?')) return { length, repeats: false, unbounded: 0, optional: 1 };
	const isExact = least !== undefined && comma === undefined;
	if (isExact) return { length, repeats: true, unbounded: 0, optional: 0 };
	const isSmall = most !== undefined && most !== '' && Number(most) <= maxSmallCount;
	return { length, repeats: true, unbounded: isSmall ? 0 : 1, optional: isSmall ? 1 : 0 };
}
