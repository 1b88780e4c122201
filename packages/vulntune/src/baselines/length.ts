/**
 * The baseline "shorter is vulnerable": fixes add checks, so in pairs the vulnerable function tends to be the shorter.
 * A score from 0 to 1 that falls with the length in UTF-16 units; it is no probability.
 * @returns [texts]
 */
export function lengthScores(texts: readonly string[]): Float64Array {
	return Float64Array.from(texts, (text) => 1 / (1 + text.length));
}
