import { type Backend, elements, type View, viewOf } from '@vulntune/engine';
import type { ActivationType } from '@vulntune/engine/backends/agreement/workbench.ts';
import { segmentTensors } from '@vulntune/engine/backends/testing/tensors.ts';
import { roundToBfloat16 } from '@vulntune/engine/formats/floats.ts';
import { type Kernels, openBackend } from '../backend.ts';
import { askPeers } from '../peers.ts';
import { randomNumbers } from '../random.ts';

const tokens = 2048;
interface Size {
	readonly functions: number;
	readonly heads: number;
	readonly headDim: number;
}
/** A 13B model's heads over one sequence, and over as many functions of equal length; as many columns in the largest heads. */
const sizes: readonly Size[] = [
	{ functions: 1, heads: 40, headDim: 128 },
	{ functions: 8, heads: 40, headDim: 128 },
	{ functions: 1, heads: 20, headDim: 256 },
];
const repeats = 20;

/** Attention beside PyTorch's flash kernel, and on the kernels of a T4 on this card: milliseconds of a call, with all that it takes. */
export function attentionPart() {
	const names = sizes.map(({ functions, heads, headDim }) =>
		[functions, tokens / functions, heads, headDim].join('x'),
	);
	const ours = sizes.map((size) => ({
		bf16: times('bf16', size),
		ofT4: times('bf16', size, { capability: 75 }),
		fp32: times('f32', size),
	}));
	const peers = askPeers<{ size: string; forward: number; backward: number }>('attention', names);
	return names.map((size, i) => {
		const sdpa = peers?.find((row) => row.size === size);
		const { bf16 } = ours[i]!;
		const ofSdpa = sdpa && {
			forward: sdpa.forward / bf16.forward,
			backward: sdpa.backward / bf16.backward,
		};
		return { size, ...ours[i]!, sdpa, ofSdpa };
	});
}

function times(activations: ActivationType, { functions, heads, headDim }: Size, kernels: Kernels = {}) {
	const backend = openBackend(kernels);
	const shape = {
		...{ heads, keyValueHeads: heads, headDim, causal: true, scale: 1 / Math.sqrt(headDim) },
		precision: 'bf16',
	} as const;
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
