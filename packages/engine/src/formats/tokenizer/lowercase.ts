/** Each character by itself, where JavaScript gives a sigma at the end of a word another form. */
export function lowercase(text: string): string {
	return text
		.split('Σ')
		.map((part) => part.toLowerCase())
		.join('σ');
}
