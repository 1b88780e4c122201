import { type Backend, createCudaBackend, elements, type View, viewOf } from '@vulntune/engine';
import type { ActivationType } from '@vulntune/engine/backends/agreement/workbench.ts';
import { segmentTensors } from '@vulntune/engine/backends/testing/tensors.ts';
import { roundToBfloat16 } from '@vulntune/engine/formats/floats.ts';
import { askPeers } from '../peers.ts';
import { randomNumbers } from '../random.ts';

/** A 13B model's heads over one sequence, and over as many functions of equal length. */
const [tokens, heads, headDim] = [2048, 40, 128];
const functionCounts = [1, 8] as const;
const repeats = 20;

/** Attention beside PyTorch's flash kernel: milliseconds of a call, with all that it takes. */
export function attentionPart() {
	const sizes = functionCounts.map((count) => `${count}x${tokens / count}x${heads}x${headDim}`);
	const ours = functionCounts.map((count) => ({ bf16: times('bf16', count), fp32: times('f32', count) }));
	const peers = askPeers<{ size: string; forward: number; backward: number }>('attention', sizes);
	return sizes.map((size, i) => {
		const sdpa = peers?.find((row) => row.size === size);
		const { bf16, fp32 } = ours[i]!;
		const ofSdpa = sdpa && {
			forward: sdpa.forward / bf16.forward,
			backward: sdpa.backward / bf16.backward,
		};
		return { size, bf16, fp32, sdpa, ofSdpa };
	});
}

function times(activations: ActivationType, functions: number) {
	const backend = createCudaBackend();
	const shape = { heads, keyValueHeads: heads, headDim, causal: true, scale: 1 / Math.sqrt(headDim) };
	const wide = [tokens, heads * headDim];
	const [q, k, v, out, dOut, dq, dk, dv] = Array.from({ length: 8 }, () =>
		random(backend, wide, activations),
	) as [...[View, View, View, View], ...[View, View, View, View]];
	const logSumExp = random(backend, [tokens, heads], 'f32');
	const starts = Array.from({ length: functions + 1 }, (_, i) => (i * tokens) / functions);
	const segments = segmentTensors(backend, starts);
	const forward = () => backend.attention(out, logSumExp, q, k, v, segments, shape);
	const saved = { q, k, v, out, logSumExp, segments };
	const backward = () => backend.attentionBackward({ dq, dk, dv }, saved, dOut, shape);
	/** By the host's clock over many calls, since a call is several kernels. */
	const measure = (run: () => void) => {
		run();
		backend.sumOfSquares(logSumExp);
		const start = performance.now();
		for (let i = 0; i < repeats; i++) run();
		backend.sumOfSquares(logSumExp);
		return (performance.now() - start) / repeats;
	};
	const result = { forward: measure(forward), backward: measure(backward) };
	backend.close();
	return result;
}

function random(backend: Backend, shape: readonly number[], dtype: ActivationType): View {
	const count = elements(shape);
	const view = viewOf(backend.allocate(dtype, count), shape);
	const numbers = randomNumbers();
	const values = Float32Array.from({ length: count }, (_, i) => numbers[i % numbers.length]!);
	backend.upload(view, dtype === 'bf16' ? roundToBfloat16(values) : values);
	return view;
}
