import type { Destination, LoraOptions, View } from '../contract.ts';
import { dropoutValues } from './elementwise.ts';
import { matmulNT } from './matmul.ts';
import { floatsOf } from './memory.ts';
import { operand, roundOperand, storeGradient, valuesOf } from './numbers.ts';
import { productNN, productNT, productTN, scaleValues } from './products.ts';
import { rowReader } from './weights.ts';

/** dropout(x): [M, K]. */
function adapterInput(x: View, { dropout }: LoraOptions): Float64Array {
	const values = valuesOf(x);
	if (dropout !== undefined) dropoutValues(values, values, dropout);
	return values;
}

export function loraForward(y: View, h: View, x: View, a: View, b: View, options: LoraOptions): void {
	const [m, k] = [x.shape[0]!, x.shape[1]!];
	const rank = a.shape[0]!;
	const { precision, scale } = options;
	const input = roundOperand(adapterInput(x, options), precision); // [M, K]
	floatsOf(h).set(productNT(input, rowReader(a, precision), m, rank, k)); // [M, r]
	matmulNT(y, h, b, { precision, accumulate: true, scale });
}

export function loraBackward(
	gradients: {
		readonly dx: Destination | undefined;
		readonly dA: Destination;
		readonly dB: Destination;
	},
	saved: { readonly x: View; readonly h: View; readonly a: View; readonly b: View },
	dy: View,
	options: LoraOptions,
): void {
	const [m, n] = [dy.shape[0]!, dy.shape[1]!];
	const [rank, k] = [saved.a.shape[0]!, saved.a.shape[1]!];
	const { precision, scale, dropout } = options;
	storeGradient(gradients.dB, scaleValues(productTN(valuesOf(dy), valuesOf(saved.h), m, n, rank), scale)); // [N, r]
	const dh = scaleValues(productNN(operand(dy, precision), rowReader(saved.b, precision), m, n, rank), scale); // [M, r]
	storeGradient(gradients.dA, productTN(dh, adapterInput(saved.x, options), m, rank, k)); // [r, K]
	if (gradients.dx === undefined) return;
	roundOperand(dh, precision);
	const dx = productNN(dh, rowReader(saved.a, precision), m, rank, k); // [M, K]
	if (dropout !== undefined) dropoutValues(dx, dx, dropout);
	storeGradient(gradients.dx, dx);
}
