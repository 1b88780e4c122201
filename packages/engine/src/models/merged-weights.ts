import { type Backend, isQuantized, type View } from '../backends/contract.ts';
import { elements, viewOf } from '../backends/view.ts';
import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import { loraScale } from '../layers/lora.ts';
import { loraNames } from '../layers/lora-names.ts';
import { type BaseType, frozenWeights } from './frozen-weights.ts';
import type { ModelFolder } from './model-folder.ts';
import type { PeftAdapter } from './peft-adapter.ts';
import type { HostMatrix } from './peft-files.ts';

export interface MergeOptions {
	/** How the base lay in memory when the adapter was trained: the product is added to those values, rounded or quantised, not the file's. */
	readonly base: BaseType;
	readonly doubleQuantization: boolean;
	/** undefined where the base is taken as it is. */
	readonly adapter: Pick<PeftAdapter, 'config' | 'matrices'> | undefined;
}

/**
 * Reads the weights of a base with an adapter added, in float32, one tensor at a time: W + scale · B · A, where W are the values that the
 * adapter was trained on. The products and sums are the backend's.
 *
 *     const weightOf = mergedWeights(backend, folder, { base: 'nf4', doubleQuantization: true, adapter });
 *     for (const tensor of expectedTensors(folder.config)) write(tensor.name, weightOf(tensor));
 */
export function mergedWeights(
	backend: Backend,
	{ weights }: Pick<ModelFolder, 'weights'>,
	{ base, doubleQuantization, adapter }: MergeOptions,
): (tensor: ExpectedTensor) => Float32Array<ArrayBuffer> {
	return (tensor) => {
		const { name, shape } = tensor;
		const held = frozenWeights(backend, weights, base, doubleQuantization);
		const values = viewOf(backend.allocate('f32', elements(shape)), shape);
		try {
			const placed = held.place(tensor);
			if (isQuantized(placed)) backend.dequantize(values, placed);
			else backend.copy(values, placed);
			const module = name.replace(/\.weight$/, '');
			const names = loraNames(module);
			const [a, b] = [adapter?.matrices.get(names.a), adapter?.matrices.get(names.b)]; // [r, K], [N, r]
			if (a !== undefined && b !== undefined) addProduct(backend, values, a, b, loraScale(adapter!.config));
			return Float32Array.from(backend.download(values) as Float32Array);
		} finally {
			backend.free(values.buffer);
			held.free();
		}
	};
}

/** values [N, K] += scale · B [N, r] · A [r, K] */
function addProduct(backend: Backend, values: View, a: HostMatrix, b: HostMatrix, scale: number): void {
	const upload = ({ shape, values: data }: HostMatrix): View => {
		const view = viewOf(backend.allocate('f32', data.length), shape);
		backend.upload(view, data);
		return view;
	};
	const [left, right] = [upload(b), upload(a)]; // [N, r], [r, K]
	try {
		backend.matmulNN(values, left, right, { precision: 'fp32', accumulate: true, scale });
	} finally {
		for (const { buffer } of [left, right]) backend.free(buffer);
	}
}
