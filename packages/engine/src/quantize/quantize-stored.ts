import type { Backend, DataType, DeviceBuffer, ErrorSums, View } from '../backends/contract.ts';
import { elements, viewOf } from '../backends/view.ts';
import { toFloat32 } from '../formats/floats.ts';
import type { SafetensorsDtype } from '../formats/safetensors/dtypes.ts';
import { blockCount, blockSize, checkMatrixShape, notFinite } from './blockwise.ts';
import { quantizeAbsmax, restoreAbsmax } from './double-quantization.ts';
import { type FourBitType, fourBitCodebook, type QuantizedMatrix4, valueTypeOf } from './four-bit.ts';
import { storedValues } from './stored-values.ts';

/** A matrix as a checkpoint has it. */
export interface StoredMatrix {
	readonly dtype: SafetensorsDtype;
	readonly shape: readonly number[];
	readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Quantises a matrix of a checkpoint with the backend's kernels: the matrix that `quantizeFourBit` makes, and how far its values lie
 * from those of the file. Nothing is copied where kernels reach the memory of the host.
 *
 * Throws QUANTIZE_SHAPE, QUANTIZE_NOT_FINITE, DTYPE_NOT_FLOAT.
 *
 * @param packed takes the codes: memory that is used again saves more time than the codes take
 */
export function quantizeStored(
	backend: Backend,
	{ dtype, shape, bytes }: StoredMatrix,
	type: FourBitType,
	doubleQuantization: boolean,
	packed = new Uint8Array(Math.ceil(elements(shape) / 2)),
): { readonly matrix: QuantizedMatrix4; readonly errors: ErrorSums } {
	const length = elements(shape);
	checkMatrixShape(shape, length);
	const values = storedValues(bytes, dtype);
	const buffers: View[] = [];
	const hold = (buffer: DeviceBuffer): View => {
		const view = viewOf(buffer, [buffer.length]);
		buffers.push(view);
		return view;
	};
	const upload = (kind: DataType, source: Float32Array | Uint16Array): View => {
		const view = hold(backend.allocate(kind, source.length));
		backend.upload(view, source);
		return view;
	};
	try {
		const codebook = upload('f32', fourBitCodebook(type));
		const stored =
			backend.borrow === undefined
				? upload(values.dtype, values.data)
				: hold(backend.borrow(values.dtype, values.data));
		const codes = hold(backend.borrow?.('u8', packed) ?? backend.allocate('u8', packed.length));
		const scales = hold(backend.allocate('f32', blockCount(length)));
		const failedAt = backend.quantizeTable4(codes, scales, codebook, stored);
		if (failedAt >= 0) throw notFinite(toFloat32(bytes, dtype)[failedAt]!, failedAt);
		if (backend.borrow === undefined) packed.set(backend.download(codes) as Uint8Array);
		const absmax = backend.download(scales) as Float32Array;
		const double = doubleQuantization ? quantizeAbsmax(absmax) : undefined;
		const restored = double === undefined ? absmax : restoreAbsmax(double);
		backend.upload(scales, restored);
		const errors = backend.table4Errors(codes, scales, codebook, stored);
		const matrix = { type, shape: [shape[0]!, shape[1]!], blockSize, packed } as const;
		const common = { ...matrix, valueType: valueTypeOf(dtype), absmax: restored };
		return { matrix: double === undefined ? common : { ...common, double }, errors };
	} finally {
		for (const { buffer } of buffers) backend.free(buffer);
	}
}
