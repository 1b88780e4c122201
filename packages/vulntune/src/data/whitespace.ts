/** Every run of white space becomes one space, and the ends are trimmed: what the paper feeds its model. */
export function collapseWhitespace(text: string): string {
	return text.replace(/\s+/g, ' ').trim();
}
