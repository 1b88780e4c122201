import { readFileSync } from 'node:fs';
import path from 'node:path';
import { openSafetensors, toFloat32 } from '@vulntune/engine';
import { expect } from 'vitest';

/** The golden tensors of one file by name, as float32 or int32. */
export function readGolden(
	file: string,
): Map<string, { shape: readonly number[]; values: Float32Array | Int32Array }> {
	const source = openSafetensors(file);
	const tensors = new Map<string, { shape: readonly number[]; values: Float32Array | Int32Array }>();
	for (const [name, { dtype, shape }] of source.tensors) {
		const bytes = source.read(name);
		const values =
			dtype === 'I32'
				? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
				: toFloat32(bytes, dtype);
		tensors.set(name, { shape, values });
	}
	source.close();
	return tensors;
}

/** A fixture's JSON; its shape is described in the fixtures' README. */
// biome-ignore lint/suspicious/noExplicitAny: fixtures are read as they are documented, not validated
export function readJson(...parts: string[]): any {
	return JSON.parse(readFileSync(path.join(...parts), 'utf8'));
}

/** Largest difference between two arrays as a share of the largest golden value. */
export function relativeDifference(actual: ArrayLike<number>, golden: ArrayLike<number>): number {
	expect(actual.length).toBe(golden.length);
	let difference = 0;
	let largest = 0;
	for (let i = 0; i < golden.length; i++) {
		difference = Math.max(difference, Math.abs(actual[i]! - golden[i]!));
		largest = Math.max(largest, Math.abs(golden[i]!));
	}
	return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / (largest || 1);
}

/** Rows of a [R, H] array. */
export function pickRows(values: ArrayLike<number>, width: number, rows: readonly number[]): Float32Array {
	const picked = new Float32Array(rows.length * width);
	for (const [index, row] of rows.entries()) {
		for (let i = 0; i < width; i++) picked[index * width + i] = values[row * width + i]!;
	}
	return picked;
}
