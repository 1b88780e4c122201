import type { Destination, LoraOptions, View } from '../contract.ts';
import { dropoutValues } from './elementwise.ts';
import { matmulNT } from './matmul.ts';
import { floatsOf } from './memory.ts';
import { operand, roundOperand, storeGradient, valuesOf } from './numbers.ts';
import { productNN, productNT, productTN, scaleValues } from './products.ts';
import { rowReader } from './weights.ts';

/** dropout(x), rounded as the precision says: [M, K]. */
function adapterInput(x: View, { dropout, precision }: LoraOptions): Float64Array {
	const values = valuesOf(x);
	if (dropout !== undefined) dropoutValues(values, values, dropout);
	return roundOperand(values, precision);
}

export function loraForward(y: View, h: View, x: View, a: View, b: View, options: LoraOptions): void {
	const [m, k] = [x.shape[0]!, x.shape[1]!];
	const rank = a.shape[0]!;
	const { precision, scale } = options;
	floatsOf(h).set(productNT(adapterInput(x, options), rowReader(a, precision), m, rank, k)); // [M, r]
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
	const dOut = operand(dy, precision); // [M, N]
	const h = operand(saved.h, precision); // [M, r]
	storeGradient(gradients.dB, scaleValues(productTN(dOut, h, m, n, rank), scale)); // [N, r]
	const dh = scaleValues(productNN(dOut, rowReader(saved.b, precision), m, n, rank), scale); // [M, r]
	roundOperand(dh, precision);
	storeGradient(gradients.dA, productTN(dh, adapterInput(saved.x, options), m, rank, k)); // [r, K]
	if (gradients.dx === undefined) return;
	const dx = productNN(dh, rowReader(saved.a, precision), m, rank, k); // [M, K]
	if (dropout !== undefined) dropoutValues(dx, dx, dropout);
	storeGradient(gradients.dx, dx);
}
