import {
	type Backend,
	type DataType,
	type DeviceBuffer,
	type QuantizedLayout,
	type QuantizedWeight,
	type View,
	viewsOf,
	type Weight,
} from '../backends/contract.ts';
import { roundToBfloat16 } from '../formats/floats.ts';
import { readFloat32, type WeightSource } from '../formats/weight-source.ts';
import { type DoubleQuantization, quantizeAbsmax } from '../quantize/double-quantization.ts';
import {
	dequantizeMatrix,
	matrixCodebook,
	type QuantizedMatrix,
	quantizeMatrix,
} from '../quantize/matrix.ts';
import { readQuantizedMatrix } from '../quantize/stored-matrix.ts';
import { readStored } from '../quantize/stored-values.ts';
import { isQuantizedType, type QuantizedType } from '../quantize/types.ts';
import { allocateTogether } from '../tensor/allocate-together.ts';
import { type Tensor, uploadOwned } from '../tensor/tensor.ts';
import type { WeightPlacer } from './placement.ts';
import { placedScales, quantizeOnBackend } from './quantize-on-backend.ts';

/** In what form the frozen base lies in memory: `method.base`. */
export type BaseType = 'fp32' | 'bf16' | QuantizedType;

/** How the host quantises: the matrices that no kernel does, and the scales of those that one does. */
export interface Quantizers {
	readonly matrix: typeof quantizeMatrix;
	readonly scales: (absmax: Float32Array) => DoubleQuantization;
}

export interface FrozenWeights {
	readonly place: WeightPlacer;
	/** Gives all placed weights back to the backend. */
	free(): void;
}

/**
 * Places a checkpoint's tensors as frozen weights, one at a time, so that no more than one is ever in memory in
 * full precision. Quantised bases quantise the matrices inside the blocks; embeddings, norms and the output
 * matrix stay dense, as in bitsandbytes. `fp32` keeps 16-bit tensors in 16 bits: widening them in the kernels gives
 * the same numbers.
 *
 * @param quantizers how the host quantises; a dry model brings its own, which compute nothing
 */
export function frozenWeights(
	backend: Backend,
	source: WeightSource,
	base: BaseType,
	doubleQuantization: boolean,
	quantizers: Quantizers = { matrix: quantizeMatrix, scales: quantizeAbsmax },
): FrozenWeights {
	const buffers: DeviceBuffer[] = [];
	const keep = <Kept extends View>(view: Kept): Kept => {
		buffers.push(view.buffer);
		return view;
	};

	const dense = (name: string, rounding: 'exact' | 'bf16'): Tensor => {
		const info = source.info(name)!;
		if (info.dtype === 'BF16' || (info.dtype === 'F16' && rounding === 'exact')) {
			const { data, dtype } = readStored(source, name);
			return keep(uploadOwned(backend, data, info.shape, dtype));
		}
		return keep(denseFrom(backend, readFloat32(source, name), info.shape, rounding));
	};

	const keepAll = (weight: QuantizedWeight): QuantizedWeight => {
		for (const view of viewsOf(weight)) keep(view);
		return weight;
	};
	const quantized = (matrix: QuantizedMatrix) => keepAll(uploadQuantized(backend, matrix));

	const linear = (name: string): Weight => {
		const stored = readQuantizedMatrix(source, name);
		if (!isQuantizedType(base)) {
			if (stored === undefined) return dense(name, base === 'bf16' ? 'bf16' : 'exact');
			return keep(
				denseFrom(backend, dequantizeMatrix(stored), stored.shape, base === 'bf16' ? 'bf16' : 'exact'),
			);
		}
		if (stored?.type === base) return quantized(stored);
		if (stored === undefined && (base === 'nf4' || base === 'fp4')) {
			return keepAll(
				quantizeOnBackend(backend, source, name, base, doubleQuantization ? quantizers.scales : undefined),
			);
		}
		const shape = stored?.shape ?? source.info(name)!.shape;
		const values = stored === undefined ? readFloat32(source, name) : dequantizeMatrix(stored);
		return quantized(quantizers.matrix(values, [shape[0]!, shape[1]!], base));
	};

	return {
		place({ name, kind }) {
			if (kind === 'linear') return linear(name);
			if (kind === 'norm' || kind === 'bias') {
				return keep(uploadOwned(backend, readFloat32(source, name), source.info(name)!.shape, 'f32'));
			}
			return dense(name, base === 'bf16' ? 'bf16' : 'exact');
		},
		free() {
			for (const buffer of buffers) backend.free(buffer);
			buffers.length = 0;
		},
	};
}

function denseFrom(
	backend: Backend,
	values: Float32Array,
	shape: readonly number[],
	rounding: 'exact' | 'bf16',
): Tensor {
	if (rounding === 'exact') return uploadOwned(backend, values, shape, 'f32');
	return uploadOwned(backend, roundToBfloat16(values), shape, 'bf16');
}

/** A quantised matrix in the backend's memory; absmax is held restored, in float32, unless the backend keeps it quantised. */
export function uploadQuantized(backend: Backend, matrix: QuantizedMatrix): QuantizedWeight {
	const { shape } = matrix;
	const codebookValues = matrixCodebook(matrix);
	const [layout, dtype, codes, scales]: [QuantizedLayout, DataType, Uint8Array | Int8Array, Float32Array] =
		matrix.type === 'int8'
			? ['int8', 'i8', matrix.codes, matrix.scales]
			: 'packed' in matrix
				? ['table4', 'u8', matrix.packed, matrix.absmax]
				: ['table8', 'u8', matrix.codes, matrix.absmax];
	return allocateTogether(backend, (allocate) => {
		const placed = (type: DataType, data: Uint8Array | Int8Array | Float32Array): View => {
			const view = allocate(type, [data.length]);
			backend.upload(view, data);
			return view;
		};
		const double = 'double' in matrix && backend.keepsDoubleScales ? matrix.double : undefined;
		return {
			layout,
			shape,
			codes: placed(dtype, codes),
			scales: double === undefined ? placed('f32', scales) : placedScales(double, placed),
			codebook: codebookValues === undefined ? undefined : placed('f32', codebookValues),
		};
	});
}
