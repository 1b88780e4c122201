/** What a detector is called beside its baselines: its method, with what its head sees besides: `head+ngram`. */
export function detectorName({
	type,
	stack,
}: {
	readonly type: string;
	readonly stack: string | null;
}): string {
	return stack === null ? type : `${type}+${stack}`;
}
