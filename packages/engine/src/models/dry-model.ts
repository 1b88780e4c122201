import type { Backend } from '../backends/contract.ts';
import { sharedZeros } from '../backends/shared-zeros.ts';
import { elements } from '../backends/view.ts';
import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import type { SafetensorsDtype } from '../formats/safetensors/dtypes.ts';
import type { WeightInfo, WeightSource } from '../formats/weight-source.ts';
import { blockCount } from '../quantize/blockwise.ts';
import { type DoubleQuantization, nestedBlockSize } from '../quantize/double-quantization.ts';
import type { QuantizedMatrix } from '../quantize/matrix.ts';
import { quantileTypeCodebook } from '../quantize/quantile-matrix.ts';
import { isQuantizedType, type QuantizedType } from '../quantize/types.ts';
import type { ParameterSpec } from '../tensor/parameters.ts';
import { expectedTensors } from './families.ts';
import { type BaseType, frozenWeights } from './frozen-weights.ts';
import {
	frozenModel,
	type LoadedModel,
	type LoadOptions,
	type TrainableModel,
	trainableModel,
} from './load-model.ts';
import type { ModelConfig } from './model.ts';

/**
 * A model without its weights, for a backend that computes nothing: every buffer has the size that it has in a run, nothing is read,
 * quantised or drawn.
 *
 * @param dtypeOf how the checkpoint stores a tensor; by default in bfloat16
 */
export function dryModel(
	backend: Backend,
	config: ModelConfig,
	options: LoadOptions,
	dtypeOf: (name: string) => SafetensorsDtype = () => 'BF16',
): LoadedModel {
	const source = drySource(expectedTensors(config), (tensor) => cheapDtype(tensor, options.base, dtypeOf));
	// scales that a backend restores take the same memory with and without
	const isDouble = options.doubleQuantization && backend.keepsDoubleScales;
	const quantizers = { matrix: dryMatrix, scales: dryScales };
	const weights = frozenWeights(backend, source, options.base, isDouble, quantizers);
	return frozenModel(backend, config, options, weights);
}

/** The same with every weight trainable. */
export function dryTrainableModel(
	backend: Backend,
	config: ModelConfig,
	maxPositions: number,
	extra: readonly ParameterSpec[],
): TrainableModel {
	return trainableModel(backend, config, maxPositions, extra, ({ shape }) => zeroFloats(elements(shape)));
}

/** The type in which a tensor needs no conversion on the host and takes the same memory on the backend. */
function cheapDtype(
	{ name, kind }: ExpectedTensor,
	base: BaseType,
	dtypeOf: (name: string) => SafetensorsDtype,
): SafetensorsDtype {
	if (base === 'bf16') return 'BF16';
	if (kind === 'linear' && isQuantizedType(base) && base !== 'nf4' && base !== 'fp4') return 'F32';
	const dtype = dtypeOf(name);
	return dtype === 'F16' || dtype === 'BF16' ? dtype : 'F32';
}

/** A checkpoint of zeros. */
function drySource(
	tensors: readonly ExpectedTensor[],
	dtypeOf: (tensor: ExpectedTensor) => SafetensorsDtype,
): WeightSource {
	const infos = new Map(
		tensors.map((tensor): [string, WeightInfo] => {
			const dtype = dtypeOf(tensor);
			const byteLength = elements(tensor.shape) * (dtype === 'F32' ? 4 : 2);
			return [tensor.name, { dtype, shape: tensor.shape, byteLength }];
		}),
	);
	return {
		place: 'nowhere',
		names: [...infos.keys()],
		info: (name) => infos.get(name),
		read: (name) => zeroBytes(infos.get(name)!.byteLength),
		readPart: (_name, _offset, byteLength) => zeroBytes(byteLength),
		close() {},
	};
}

/** Scales in 8 bits, of the sizes that they have. */
function dryScales({ length }: Float32Array): DoubleQuantization {
	const nestedAbsmax = zeroFloats(blockCount(length, nestedBlockSize));
	return { offset: 0, codes: zeroBytes(length), nestedAbsmax, nestedBlockSize, map: new Float32Array(256) };
}

function zeroBytes(byteLength: number): Uint8Array<ArrayBuffer> {
	return new Uint8Array(sharedZeros(byteLength), 0, byteLength);
}

function zeroFloats(length: number): Float32Array {
	return new Float32Array(sharedZeros(4 * length), 0, length);
}

/** A matrix of the type's sizes. */
function dryMatrix(
	_values: Float32Array,
	shape: readonly [number, number],
	type: QuantizedType,
): QuantizedMatrix {
	const size = elements(shape);
	const codes = zeroBytes(size);
	const absmax = zeroFloats(blockCount(size));
	if (type === 'int8')
		return { type, shape, codes: new Int8Array(codes.buffer, 0, size), scales: new Float32Array(shape[0]) };
	if (type === 'nf4' || type === 'fp4') {
		const packed = zeroBytes(Math.ceil(size / 2));
		return { type, shape, blockSize: 64, valueType: 'bfloat16', packed, absmax };
	}
	return {
		type,
		shape,
		blockSize: 64,
		codes,
		absmax,
		codebook: quantileTypeCodebook(type),
	};
}
