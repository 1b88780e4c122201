import type { Activation, Destination, View } from '../contract.ts';
import { erfc } from './erf.ts';
import { floatsOf } from './memory.ts';

const rootTwoOverPi = Math.sqrt(2 / Math.PI);
/** Hendrycks & Gimpel 2016, equation (2): the cubic term of the tanh approximation of GELU. */
const geluCubic = 0.044715;

function sigmoid(x: number): number {
	return 1 / (1 + Math.exp(-x));
}

/** P(Z ≤ x) for a normal Z; by erfc, which keeps its digits where the probability is small. */
function normalDistribution(x: number): number {
	return 0.5 * erfc(-x * Math.SQRT1_2);
}

const functions: Readonly<Record<Activation, (x: number) => number>> = {
	gelu: (x) => x * normalDistribution(x),
	geluTanh: (x) => 0.5 * x * (1 + Math.tanh(rootTwoOverPi * (x + geluCubic * x ** 3))),
	tanh: Math.tanh,
	silu: (x) => x * sigmoid(x),
};

const derivatives: Readonly<Record<Activation, (x: number) => number>> = {
	gelu: (x) => normalDistribution(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
	geluTanh: (x) => {
		const t = Math.tanh(rootTwoOverPi * (x + geluCubic * x ** 3));
		return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * rootTwoOverPi * (1 + 3 * geluCubic * x * x);
	},
	tanh: (x) => 1 - Math.tanh(x) ** 2,
	silu: (x) => {
		const s = sigmoid(x);
		return s * (1 + x * (1 - s));
	},
};

export function activation(kind: Activation, y: View, x: View): void {
	const out = floatsOf(y);
	const values = floatsOf(x);
	const f = functions[kind];
	for (let i = 0; i < out.length; i++) out[i] = f(values[i]!);
}

export function activationBackward(kind: Activation, dx: Destination, dy: View, x: View): void {
	const out = floatsOf(dx.view);
	const upstream = floatsOf(dy);
	const values = floatsOf(x);
	const derivative = derivatives[kind];
	for (let i = 0; i < out.length; i++) {
		const gradient = upstream[i]! * derivative(values[i]!);
		out[i] = dx.accumulate ? out[i]! + gradient : gradient;
	}
}

export function swiglu(y: View, gate: View, up: View): void {
	const out = floatsOf(y);
	const gates = floatsOf(gate);
	const ups = floatsOf(up);
	for (let i = 0; i < out.length; i++) out[i] = gates[i]! * sigmoid(gates[i]!) * ups[i]!;
}

export function swigluBackward(dGate: View, dUp: View, dy: View, gate: View, up: View): void {
	const dGates = floatsOf(dGate);
	const dUps = floatsOf(dUp);
	const upstream = floatsOf(dy);
	const gates = floatsOf(gate);
	const ups = floatsOf(up);
	for (let i = 0; i < upstream.length; i++) {
		const g = gates[i]!;
		const u = ups[i]!;
		const s = sigmoid(g);
		dGates[i] = upstream[i]! * u * s * (1 + g * (1 - s));
		dUps[i] = upstream[i]! * g * s;
	}
}
