import { inputError } from '@vulntune/engine';

/**
 * Refuses scores that cannot be ranked and labels that are no class.
 * @param labels [rows] 0 or 1
 * @param scores [rows] finite numbers
 * @param ids [rows] names for the message; without them the row's number, from 1
 * @throws VulntuneError naming the row: `SCORE_NOT_FINITE`, `LABEL_NOT_BINARY`; `SCORES_LENGTH` if the lengths differ
 */
export function validateScores(
	labels: ArrayLike<number>,
	scores: ArrayLike<number>,
	ids?: ArrayLike<string>,
): void {
	if (labels.length !== scores.length || (ids !== undefined && ids.length !== labels.length)) {
		throw inputError(
			'SCORES_LENGTH',
			`expected as many scores and ids as labels, found ${labels.length} labels, ${scores.length} scores` +
				(ids === undefined ? '' : `, ${ids.length} ids`),
		);
	}
	for (let row = 0; row < labels.length; row++) {
		const name = () => (ids === undefined ? `row ${row + 1}` : `row ${ids[row]}`);
		if (!Number.isFinite(scores[row])) {
			throw inputError('SCORE_NOT_FINITE', `expected a finite score, found ${scores[row]}`, {
				place: name(),
				remedy: 'A score that is not a number means that scoring went wrong; look at that function first.',
			});
		}
		if (labels[row] !== 0 && labels[row] !== 1) {
			throw inputError('LABEL_NOT_BINARY', `expected the label 0 or 1, found ${labels[row]}`, {
				place: name(),
			});
		}
	}
}
