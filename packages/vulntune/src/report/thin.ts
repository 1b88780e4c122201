/** At most `limit` points of a curve, first and last among them: more than a figure can show only makes the file large. */
export function thin<Point>(points: readonly Point[], limit = 400): readonly Point[] {
	if (points.length <= limit) return points;
	const last = points.length - 1;
	return Array.from({ length: limit }, (_, index) => points[Math.round((index * last) / (limit - 1))]!);
}

/** Means over stretches of equal length, at most `limit` of them. */
export function average<Point extends { readonly x: number; readonly y: number }>(
	points: readonly Point[],
	limit = 300,
): readonly { readonly x: number; readonly y: number }[] {
	const size = Math.ceil(points.length / limit);
	if (size <= 1) return points;
	return Array.from({ length: Math.ceil(points.length / size) }, (_, index) => {
		const stretch = points.slice(index * size, (index + 1) * size);
		const mean = (of: (point: Point) => number) =>
			stretch.reduce((sum, point) => sum + of(point), 0) / stretch.length;
		return { x: mean(({ x }) => x), y: mean(({ y }) => y) };
	});
}
