/** What a reader of a detector's scores must know where its weights were quantised after it was trained. */
export function quantizedDetector(type: string): string {
	return `The detector's weights were quantised (${type}) after its threshold and calibration had been chosen on validation: its probabilities are others since, and both may no longer fit them.`;
}
