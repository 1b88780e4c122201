import { expect } from 'vitest';
import type { Backend, View } from '../contract.ts';
import { elements } from '../view.ts';
import { drawFrom, relativeDistance, tensor } from './tensors.ts';

/** A kernel as a function of named inputs, with its gradient. Needs a backend that stores float64. */
export interface Differentiable {
	/** What is varied. */
	readonly inputs: Readonly<Record<string, View>>;
	/** Runs the kernel on the inputs and returns its output, of any shape. */
	readonly forward: () => View;
	/** Given the gradient of the output, after a `forward`: the gradients of the inputs, by name. */
	readonly backward: (dOutput: View) => Readonly<Record<string, View>>;
}

const stepSize = 1e-5;
const tolerance = 1e-6;

/**
 * Expects that each gradient is within 1e-6, relative to the norm, of central differences of Σ dOutput × output for
 * a random dOutput; for every element of every input.
 */
export function expectGradients(backend: Backend, kernel: Differentiable, seed = 1): void {
	const outputShape = kernel.forward().shape;
	const weights = drawFrom(seed).normal(elements(outputShape));
	const gradients = kernel.backward(tensor(backend, outputShape, weights));
	const objective = (): number => {
		const output = backend.download(kernel.forward());
		let sum = 0;
		for (let i = 0; i < output.length; i++) sum += weights[i]! * output[i]!;
		return sum;
	};
	expect(Object.keys(gradients).sort()).toEqual(Object.keys(kernel.inputs).sort());
	for (const [name, input] of Object.entries(kernel.inputs)) {
		const found = backend.download(gradients[name]!);
		const values = backend.download(input) as Float64Array;
		const expected = values.map((value, i) => {
			values[i] = value + stepSize;
			backend.upload(input, values);
			const above = objective();
			values[i] = value - stepSize;
			backend.upload(input, values);
			const below = objective();
			values[i] = value;
			return (above - below) / (2 * stepSize);
		});
		backend.upload(input, values);
		expect(relativeDistance(found, expected), `gradient of ${name}`).toBeLessThanOrEqual(tolerance);
	}
}
