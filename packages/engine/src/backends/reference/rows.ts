import type { Indices, Ranges, View } from '../contract.ts';
import { elements, rowsOf } from '../view.ts';
import { type FloatArray, floatsOf, integersOf } from './memory.ts';
import { valuesOf } from './numbers.ts';

export function gatherRows(y: View, table: View, rows: Indices): void {
	const out = floatsOf(y); // [R, H]
	const indices = integersOf(rows); // [R]
	const h = elements(table.shape.slice(1));
	for (let i = 0; i < indices.length; i++) {
		const row = indices[i]!;
		out.set(valuesOf(rowsOf(table, row, row + 1)), i * h);
	}
}

export function scatterAddRows(table: View, y: View, rows: Indices): void {
	const out = floatsOf(table); // [·, H]
	const values = floatsOf(y); // [R, H]
	const indices = integersOf(rows); // [R]
	const h = elements(table.shape.slice(1));
	for (let i = 0; i < indices.length; i++) {
		const row = indices[i]!;
		for (let j = 0; j < h; j++) out[row * h + j]! += values[i * h + j]!;
	}
}

export function poolRows(
	kind: 'mean' | 'max',
	y: View,
	argmax: View | undefined,
	x: View,
	ranges: Ranges,
): void {
	const out = floatsOf(y); // [F, H]
	const values = floatsOf(x); // [T, H]
	const h = y.shape[1]!;
	const largest = kind === 'max' ? integersOf(argmax!) : undefined; // [F, H]
	for (const [f, rows] of pooledRows(ranges).entries()) {
		for (let j = 0; j < h; j++) {
			if (largest === undefined) {
				out[f * h + j] = columnMean(values, rows, h, j);
			} else {
				const row = firstMaximum(values, rows, h, j);
				largest[f * h + j] = row;
				out[f * h + j] = values[row * h + j]!;
			}
		}
	}
}

/** The rows of each function, [F] of [rows], from its ranges [F, 2R]. */
function pooledRows(ranges: Ranges): number[][] {
	const bounds = integersOf(ranges);
	const [functions, width] = ranges.shape as readonly [number, number];
	return Array.from({ length: functions }, (_, f) => {
		const pooled: number[] = [];
		for (let i = f * width; i < (f + 1) * width; i += 2) {
			for (let t = bounds[i]!; t < bounds[i + 1]!; t++) pooled.push(t);
		}
		return pooled;
	});
}

function columnMean(values: FloatArray, rows: readonly number[], h: number, j: number): number {
	return rows.reduce((sum, t) => sum + values[t * h + j]!, 0) / rows.length;
}

function firstMaximum(values: FloatArray, rows: readonly number[], h: number, j: number): number {
	return rows.reduce((best, t) => (values[t * h + j]! > values[best * h + j]! ? t : best));
}

export function poolRowsBackward(
	kind: 'mean' | 'max',
	dx: View,
	dy: View,
	argmax: View | undefined,
	ranges: Ranges,
): void {
	const out = floatsOf(dx); // [T, H]
	const upstream = floatsOf(dy); // [F, H]
	const h = dy.shape[1]!;
	const largest = kind === 'max' ? integersOf(argmax!) : undefined; // [F, H]
	for (const [f, rows] of pooledRows(ranges).entries()) {
		for (let j = 0; j < h; j++) {
			const gradient = upstream[f * h + j]!;
			if (largest !== undefined) out[largest[f * h + j]! * h + j]! += gradient;
			else for (const t of rows) out[t * h + j]! += gradient / rows.length;
		}
	}
}

export function scaleRows(x: View, factor: View): void {
	const values = floatsOf(x); // [R, H]
	const factors = floatsOf(factor); // [R]
	const h = values.length / factors.length;
	for (let i = 0; i < factors.length; i++) {
		for (let j = 0; j < h; j++) values[i * h + j]! *= factors[i]!;
	}
}
