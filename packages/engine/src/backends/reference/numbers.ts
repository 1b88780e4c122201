import { roundToBfloat16, roundToFloat16, widenBfloat16, widenFloat16 } from '../../formats/floats.ts';
import type { Destination, FloatPrecision, View } from '../contract.ts';
import { describe } from '../view.ts';
import { dataOf, floatsOf } from './memory.ts';

/** The values of a dense float view as float64, copied. */
export function valuesOf(view: View): Float64Array {
	const data = dataOf(view);
	if (view.dtype === 'bf16') return new Float64Array(widenBfloat16(data as Uint16Array<ArrayBuffer>));
	if (view.dtype === 'f16') return new Float64Array(widenFloat16(data as Uint16Array<ArrayBuffer>));
	return new Float64Array(data);
}

/** Writes values into a dense float view, rounded to nearest even where its type is narrower. */
export function storeValues(target: View, values: Float64Array): void {
	const data = dataOf(target);
	if (target.dtype === 'bf16') roundToBfloat16(new Float32Array(values), data as Uint16Array<ArrayBuffer>);
	else if (target.dtype === 'f16') roundToFloat16(new Float32Array(values), data as Uint16Array<ArrayBuffer>);
	else if (target.dtype === 'f32') data.set(values);
	else throw new TypeError(`expected a dense float tensor, found ${describe(target)}`);
}

/** Writes a gradient over what is there, or adds it. */
export function storeGradient(destination: Destination, values: Float64Array): void {
	const target = floatsOf(destination.view);
	if (!destination.accumulate) {
		target.set(values);
		return;
	}
	for (let i = 0; i < values.length; i++) target[i]! += values[i]!;
}

/** Rounds an operand of a matrix product in place, as its precision says; `fp32` leaves it. */
export function roundOperand(values: Float64Array, precision: FloatPrecision): Float64Array {
	if (precision === 'bf16') values.set(widenBfloat16(roundToBfloat16(new Float32Array(values))));
	return values;
}

/** A dense operand of a matrix product as float64 values. */
export function operand(view: View, precision: FloatPrecision): Float64Array {
	return roundOperand(valuesOf(view), precision);
}
