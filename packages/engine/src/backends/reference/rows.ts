import { VulntuneError } from '../../errors.ts';
import type { View } from '../contract.ts';
import { checkRanges } from '../index-checks.ts';
import { elements, rowsOf } from '../view.ts';
import { type FloatArray, floatsOf, integersOf } from './memory.ts';
import { valuesOf } from './numbers.ts';

function checkRow(row: number, rows: number): void {
	if (row >= 0 && row < rows) return;
	throw new VulntuneError({
		code: 'ROW_RANGE',
		kind: 'runtime',
		message: `row ${row} is asked for, but the table has ${rows} rows`,
		remedy:
			'Check that the tokenizer belongs to the model: its ids must be below the size of the vocabulary.',
	});
}

export function gatherRows(y: View, table: View, rows: View): void {
	const out = floatsOf(y); // [R, H]
	const indices = integersOf(rows); // [R]
	const h = elements(table.shape.slice(1));
	for (let i = 0; i < indices.length; i++) {
		const row = indices[i]!;
		checkRow(row, table.shape[0]!);
		out.set(valuesOf(rowsOf(table, row, row + 1)), i * h);
	}
}

export function scatterAddRows(table: View, y: View, rows: View): void {
	const out = floatsOf(table); // [·, H]
	const values = floatsOf(y); // [R, H]
	const indices = integersOf(rows); // [R]
	const h = elements(table.shape.slice(1));
	for (let i = 0; i < indices.length; i++) {
		const row = indices[i]!;
		checkRow(row, table.shape[0]!);
		for (let j = 0; j < h; j++) out[row * h + j]! += values[i * h + j]!;
	}
}

export function poolRows(
	kind: 'mean' | 'max',
	y: View,
	argmax: View | undefined,
	x: View,
	ranges: View,
): void {
	const out = floatsOf(y); // [F, H]
	const values = floatsOf(x); // [T, H]
	const bounds = integersOf(ranges); // [F, 2]
	checkRanges(bounds, x.shape[0]!);
	const h = y.shape[1]!;
	const largest = kind === 'max' ? integersOf(argmax!) : undefined; // [F, H]
	for (let f = 0; f < y.shape[0]!; f++) {
		const from = bounds[2 * f]!;
		const to = bounds[2 * f + 1]!;
		for (let j = 0; j < h; j++) {
			if (largest === undefined) {
				out[f * h + j] = columnMean(values, from, to, h, j);
			} else {
				const row = firstMaximum(values, from, to, h, j);
				largest[f * h + j] = row;
				out[f * h + j] = values[row * h + j]!;
			}
		}
	}
}

function columnMean(values: FloatArray, from: number, to: number, h: number, j: number): number {
	let sum = 0;
	for (let t = from; t < to; t++) sum += values[t * h + j]!;
	return sum / (to - from);
}

function firstMaximum(values: FloatArray, from: number, to: number, h: number, j: number): number {
	let row = from;
	for (let t = from + 1; t < to; t++) if (values[t * h + j]! > values[row * h + j]!) row = t;
	return row;
}

export function poolRowsBackward(
	kind: 'mean' | 'max',
	dx: View,
	dy: View,
	argmax: View | undefined,
	ranges: View,
): void {
	const out = floatsOf(dx); // [T, H]
	const upstream = floatsOf(dy); // [F, H]
	const bounds = integersOf(ranges); // [F, 2]
	checkRanges(bounds, dx.shape[0]!);
	const h = dy.shape[1]!;
	const largest = kind === 'max' ? integersOf(argmax!) : undefined; // [F, H]
	for (let f = 0; f < dy.shape[0]!; f++) {
		const from = bounds[2 * f]!;
		const to = bounds[2 * f + 1]!;
		for (let j = 0; j < h; j++) {
			const gradient = upstream[f * h + j]!;
			if (largest !== undefined) out[largest[f * h + j]! * h + j]! += gradient;
			else for (let t = from; t < to; t++) out[t * h + j]! += gradient / (to - from);
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
