/** How a number is written: in 32 bits, in 64, as a float. */
export const [asWord, asLong, asFloat] = [0, 1, 2];

const tensorMapWords = 32;

/** Where a kernel's arguments lie in memory, in words of 32 bits. */
export interface ArgumentLayout {
	/** Of each number that a launch is given: a tensor map is 32 of them. */
	readonly kinds: Uint8Array;
	readonly words: Uint8Array;
	/** The first word of each argument where the driver has to place them itself; undefined where all come in one buffer. */
	readonly placed: readonly number[] | undefined;
	readonly bytes: number;
}

/** @param signature one letter an argument: see native/cuda/signatures.mjs */
export function layoutOf(signature: string): ArgumentLayout {
	const kinds: number[] = [];
	const words: number[] = [];
	const placed: number[] = [];
	let word = 0;
	for (const letter of signature) {
		if (letter === 'l') word = (word + 1) & ~1;
		placed.push(word);
		for (let left = letter === 'T' ? tensorMapWords : 1; left > 0; left--) {
			kinds.push(letter === 'l' ? asLong : letter === 'f' ? asFloat : asWord);
			words.push(word);
			word += letter === 'l' ? 2 : 1;
		}
	}
	return {
		...{ kinds: Uint8Array.from(kinds), words: Uint8Array.from(words), bytes: 4 * word },
		// the card aligns a tensor map to more than where a buffer begins
		placed: signature.includes('T') ? placed : undefined,
	};
}
