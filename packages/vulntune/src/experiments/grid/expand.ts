import { isDeepStrictEqual } from 'node:util';
import { hashStream, uniform } from '@vulntune/engine/random/streams.ts';
import type { AxisRange } from './grid-schema.ts';

/** Values of options by name, as a grid has them. */
export type Point = ReadonlyMap<string, unknown>;

export type Axis = readonly unknown[] | AxisRange;

/** Every combination of the axes' values, the last axis running fastest. */
export function product(axes: ReadonlyMap<string, readonly unknown[]>): Point[] {
	return [...axes].reduce<Point[]>(
		(points, [name, values]) =>
			points.flatMap((point) => values.map((value) => new Map([...point, [name, value]]))),
		[new Map()],
	);
}

/**
 * Combinations drawn from the axes, each once: the first ones are the same however many are asked for. Fewer than `count` where
 * lists alone do not hold as many.
 */
export function drawPoints(axes: ReadonlyMap<string, Axis>, count: number, seed: number): Point[] {
	const points: Point[] = [];
	const drawAt = (index: number): Point =>
		new Map(
			[...axes].map(([name, axis]) => [name, draw(axis, uniform(seed, hashStream(`axis ${name}`), index))]),
		);
	// a list that is nearly used up takes many draws to give its last values
	for (let index = 0; points.length < count && index < 1000 * count; index++) {
		const point = drawAt(index);
		if (!points.some((earlier) => isDeepStrictEqual(earlier, point))) points.push(point);
	}
	return points;
}

/** @param share uniform in [0, 1) */
function draw(axis: Axis, share: number): unknown {
	if (isList(axis)) return axis[Math.floor(share * axis.length)];
	const { from, to, scale, whole } = axis;
	const value = scale === 'log' ? from * (to / from) ** share : from + share * (to - from);
	if (whole) return Math.floor(scale === 'log' ? value : from + share * (to - from + 1));
	// three digits are enough to be searched and few enough to be read
	return Number(value.toPrecision(3));
}

export function isList(axis: Axis): axis is readonly unknown[] {
	return Array.isArray(axis);
}

/** Whether a point has all the values of a partial one. */
export function fits(point: Point, partial: Point): boolean {
	return [...partial].every(([name, value]) => point.has(name) && isDeepStrictEqual(point.get(name), value));
}
