import type { Backend, View } from '@vulntune/engine';
import { linearShapes, smolLm135m } from '../shapes.ts';
import { type Tensors, tensorsOn } from '../tensors.ts';
import type { KernelCase } from './kernels.ts';

const TOKENS = 512;
const RANK = 8;
const FLOAT = 4;
const { hiddenSize, intermediateSize, heads, headDim, vocabularySize } = smolLm135m;

/**
 * What a step needs besides products and attention, at 512 tokens. In GB/s of what a kernel must read and write at least;
 * tensors of this size stay in the caches, so memory is not their limit. `copy-64mib` is memory's own speed.
 */
export function otherCases(backend: Backend): KernelCase[] {
	const streamed = (name: string, floats: number, make: (tensors: Tensors) => () => void): KernelCase => ({
		name,
		work: { bytes: FLOAT * floats },
		prepare: () => prepared(backend, make),
	});
	const hidden = TOKENS * hiddenSize;
	const wide = TOKENS * intermediateSize;
	const hiddenView = (t: Tensors): View => t.random(TOKENS, hiddenSize);
	const wideView = (t: Tensors): View => t.random(TOKENS, intermediateSize);
	return [
		streamed('copy-64mib', 2 * 2 ** 24, (t) => {
			const [target, source] = [t.random(2 ** 24), t.random(2 ** 24)];
			return () => backend.copy(target, source);
		}),
		streamed('add-512x576', 3 * hidden, (t) => {
			const [sum, a, b] = [hiddenView(t), hiddenView(t), hiddenView(t)];
			return () => backend.add(sum, a, b);
		}),
		streamed('rms-norm-forward', 2 * hidden, (t) => {
			const [y, x, rstd, weight] = [hiddenView(t), hiddenView(t), t.random(TOKENS), t.random(hiddenSize)];
			return () => backend.rmsNorm(y, rstd, x, weight, 1e-5);
		}),
		streamed('rms-norm-backward', 3 * hidden, (t) => {
			const [dx, x, dy] = [hiddenView(t), hiddenView(t), hiddenView(t)];
			const saved = { x, rstd: t.random(TOKENS), weight: t.random(hiddenSize) };
			const gradients = { dx: { view: dx, accumulate: false }, dWeight: undefined };
			return () => backend.rmsNormBackward(gradients, saved, dy);
		}),
		streamed('rope-queries', 2 * TOKENS * heads * headDim, (t) => {
			const [y, x] = [hiddenView(t), hiddenView(t)];
			const [cos, sin] = [t.random(TOKENS, headDim / 2), t.random(TOKENS, headDim / 2)];
			return () => backend.rope(y, x, cos, sin, headDim, false);
		}),
		streamed('swiglu-forward', 3 * wide, (t) => {
			const [y, gate, up] = [wideView(t), wideView(t), wideView(t)];
			return () => backend.swiglu(y, gate, up);
		}),
		streamed('swiglu-backward', 5 * wide, (t) => {
			const [dGate, dUp, dy, gate, up] = [wideView(t), wideView(t), wideView(t), wideView(t), wideView(t)];
			return () => backend.swigluBackward(dGate, dUp, dy, gate, up);
		}),
		streamed('lora-forward-1536x576', hidden + 2 * wide, (t) => {
			const adapter = adapterTensors(t);
			const { x, y, h, a, b } = adapter;
			return () => backend.loraForward(y, h, x, a, b, loraOptions);
		}),
		streamed('lora-backward-1536x576', 3 * hidden + wide, (t) => {
			const { x, y, h, a, b } = adapterTensors(t);
			const gradients = {
				dx: { view: hiddenView(t), accumulate: true },
				dA: { view: t.random(RANK, hiddenSize), accumulate: true },
				dB: { view: t.random(intermediateSize, RANK), accumulate: true },
			};
			return () => backend.loraBackward(gradients, { x, h, a, b }, y, loraOptions);
		}),
		streamed('adamw-adapters', 7 * adapterSize(), (t) => {
			const length = adapterSize();
			const [values, gradients, first] = [t.random(length), t.random(length), t.random(length)];
			const second = t.random(length);
			backend.fill(second, 1);
			const options = { learningRate: 1e-6, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
			return () => backend.adamW(values, gradients, first, second, { ...options, step: 1, gradientScale: 1 });
		}),
		crossEntropyCase(backend, 'forward'),
		crossEntropyCase(backend, 'backward'),
	];
}

const loraOptions = { scale: 4, precision: 'bf16', dropout: undefined } as const;

function adapterTensors(t: Tensors) {
	return {
		x: t.random(TOKENS, hiddenSize), // [T, K]
		y: t.random(TOKENS, intermediateSize), // [T, N]
		h: t.random(TOKENS, RANK), // [T, r]
		a: t.random(RANK, hiddenSize), // [r, K]
		b: t.random(intermediateSize, RANK), // [N, r]
	};
}

/** Parameters of adapters on all linear layers. */
function adapterSize(): number {
	const perBlock = linearShapes(smolLm135m).reduce(
		(sum, { size: [n, k], count }) => sum + (n + k) * count,
		0,
	);
	return RANK * perBlock * smolLm135m.layers;
}

/** The loss over the vocabulary of 64 tokens: backward makes the logits again. */
function crossEntropyCase(backend: Backend, direction: 'forward' | 'backward'): KernelCase {
	const rows = 64;
	const products = direction === 'forward' ? 1 : 2;
	return {
		name: `linear-cross-entropy-${direction}-m${rows}`,
		work: { operations: products * 2 * rows * hiddenSize * vocabularySize, precision: 'bf16' },
		prepare: () =>
			prepared(backend, (t) => {
				const weight = t.weight('bf16', [vocabularySize, hiddenSize]); // [V, H]
				const hidden = t.random(rows, hiddenSize); // [R, H]
				const targets = t.targets(Int32Array.from({ length: rows }, (_, row) => row * 700));
				const [losses, logSumExp] = [t.random(rows), t.random(rows)];
				const forward = () => backend.linearCrossEntropy(losses, logSumExp, hidden, weight, targets, 'bf16');
				forward();
				const dHidden = { view: t.random(rows, hiddenSize), accumulate: false };
				const dLosses = t.random(rows);
				const saved = { hidden, weight, targets, logSumExp };
				const gradients = { dHidden, dWeight: undefined };
				const backward = () => backend.linearCrossEntropyBackward(gradients, saved, dLosses, 'bf16');
				return direction === 'forward' ? forward : backward;
			}),
	};
}

function prepared(backend: Backend, make: (tensors: Tensors) => () => void) {
	const tensors = tensorsOn(backend);
	return { run: make(tensors), free: tensors.free };
}
