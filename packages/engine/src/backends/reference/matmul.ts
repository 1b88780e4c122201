import type { FloatPrecision, MatmulOptions, QuantizedWeight, View, Weight } from '../contract.ts';
import { int8ProductNN, int8ProductNT } from './int8.ts';
import { floatsOf } from './memory.ts';
import { operand, storeGradient, valuesOf } from './numbers.ts';
import { productNN, productNT, productTN, scaleValues } from './products.ts';
import { rowReader } from './weights.ts';

function store(target: View, product: Float64Array, options: MatmulOptions): void {
	storeGradient({ view: target, accumulate: options.accumulate }, scaleValues(product, options.scale));
}

export function matmulNT(y: View, x: View, weight: Weight, options: MatmulOptions): void {
	const [m, k] = [x.shape[0]!, x.shape[1]!];
	const n = weight.shape[0]!;
	const { precision } = options;
	const product =
		precision === 'int8'
			? int8ProductNT(valuesOf(x), rowReader(weight, 'fp32'), m, n, k)
			: productNT(operand(x, precision), rowReader(weight, precision), m, n, k);
	store(y, product, options); // [M, N]
}

export function matmulNN(dx: View, dy: View, weight: Weight, options: MatmulOptions): void {
	const [m, n] = [dy.shape[0]!, dy.shape[1]!];
	const k = weight.shape[1]!;
	const { precision } = options;
	const product =
		precision === 'int8'
			? int8ProductNN(valuesOf(dy), rowReader(weight, 'fp32'), m, n, k)
			: productNN(operand(dy, precision), rowReader(weight, precision), m, n, k);
	store(dx, product, options); // [M, K]
}

export function matmulTN(dWeight: View, dy: View, x: View, options: MatmulOptions<FloatPrecision>): void {
	const [m, n] = [dy.shape[0]!, dy.shape[1]!];
	const k = x.shape[1]!;
	const left = operand(dy, options.precision); // [M, N]
	const right = operand(x, options.precision); // [M, K]
	store(dWeight, productTN(left, right, m, n, k), options);
}

export function dequantize(target: View, weight: QuantizedWeight): void {
	const [n, k] = [weight.shape[0]!, weight.shape[1]!];
	const values = floatsOf(target); // [N, K]
	const read = rowReader(weight, 'fp32');
	const row = new Float64Array(k);
	for (let i = 0; i < n; i++) {
		read(i, row);
		values.set(row, i * k);
	}
}
