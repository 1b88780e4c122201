const entities: Readonly<Record<string, string>> = {
	'&': '&amp;',
	'<': '&lt;',
	'>': '&gt;',
	'"': '&quot;',
	"'": '&#39;',
};

/** A text for HTML and SVG, in elements and quoted attributes; control characters, which no such document may hold, are replaced. */
export function escapeMarkup(text: string): string {
	return withoutControls(text.replace(/[&<>"']/g, (character) => entities[character]!));
}

/** Replaces control characters and halves of surrogate pairs. */
export function withoutControls(text: string): string {
	return (
		text
			.toWellFormed()
			// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
			.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '\ufffd')
	);
}
