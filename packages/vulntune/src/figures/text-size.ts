/** Advance widths of DejaVu Sans in shares of the font's size: a wide face, so that no narrower one of a reader's needs more room. */
const widths: readonly (readonly [characters: string, width: number])[] = [
	["ijlI.,:;'|!/\\ ", 0.34],
	['ftr()[]-"', 0.42],
	['sczkvxyFLTYP*?_$', 0.6],
	['ABCDEGHKNOQRSUVXZ&w', 0.78],
	['mMW%@+=<>#~^…', 0.98],
];
const ordinary = 0.64;
/** Of what is not ASCII, which may be as wide as it is high. */
const foreign = 1;

const widthOf = new Map(
	widths.flatMap(([characters, width]) => [...characters].map((character) => [character, width] as const)),
);

/** How wide a line of text is at most, in pixels: figures are drawn where no canvas can measure it. */
export function textWidth(text: string, fontSize: number): number {
	const shares = [...text].map(
		(character) => widthOf.get(character) ?? (character > '\u{7f}' ? foreign : ordinary),
	);
	return fontSize * shares.reduce((sum, share) => sum + share, 0);
}

/** A text in lines that are no wider than `limit` pixels, broken at spaces, inside a word that is wider than a line. None is lost. */
export function wrapText(text: string, fontSize: number, limit: number): string[] {
	const lines: string[] = [];
	let line = '';
	for (const word of text.split(' ').flatMap((own) => breakWord(own, fontSize, limit))) {
		const longer = line === '' ? word : `${line} ${word}`;
		if (line !== '' && textWidth(longer, fontSize) > limit) {
			lines.push(line);
			line = word;
		} else line = longer;
	}
	return [...lines, line];
}

function breakWord(word: string, fontSize: number, limit: number): string[] {
	const parts = [''];
	for (const character of word) {
		if (parts.at(-1) !== '' && textWidth(parts.at(-1) + character, fontSize) > limit) parts.push('');
		parts[parts.length - 1] += character;
	}
	return parts;
}
