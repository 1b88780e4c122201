import type { Backend, DataType, View } from '../backends/contract.ts';
import { elements, viewOf } from '../backends/view.ts';
import { readFloat32, type WeightSource } from '../formats/weight-source.ts';
import { blockCount, blockSize, checkMatrixShape, notFinite } from './blockwise.ts';
import { quantizeAbsmax, restoreAbsmax } from './double-quantization.ts';
import { type FourBitType, fourBitCodebook, type QuantizedMatrix4, valueTypeOf } from './four-bit.ts';
import { addErrors, type ErrorSums, errorSums, noErrors } from './quantization-error.ts';
import { readStored } from './stored-values.ts';

/** Elements that are on the backend at a time: whole blocks, and little beside a large matrix. */
const chunkElements = 2 ** 22;

/**
 * Quantises a matrix of a checkpoint with the backend's kernel, a part at a time: the matrix that `quantizeFourBit` makes, and how far its
 * values lie from those of the file. No more than the matrix as it is stored is in memory, and a part of it in float32.
 *
 * Throws QUANTIZE_SHAPE, QUANTIZE_NOT_FINITE.
 */
export function quantizeStored(
	backend: Backend,
	source: WeightSource,
	name: string,
	type: FourBitType,
	doubleQuantization: boolean,
): { readonly matrix: QuantizedMatrix4; readonly errors: ErrorSums } {
	const { dtype, shape } = source.info(name)!;
	const length = elements(shape);
	checkMatrixShape(shape, length);
	const values = readStored(source, name);
	const buffers: View[] = [];
	const allocate = (kind: DataType, size: number): View => {
		const view = viewOf(backend.allocate(kind, size), [size]);
		buffers.push(view);
		return view;
	};
	const size = Math.min(chunkElements, length);
	try {
		const codebook = allocate('f32', 16);
		backend.upload(codebook, fourBitCodebook(type));
		const room = {
			stored: allocate(values.dtype, size),
			original: allocate('f32', size),
			restored: allocate('f32', size),
			codes: allocate('u8', Math.ceil(size / 2)),
			scales: allocate('f32', blockCount(size)),
		};
		const packed = new Uint8Array(Math.ceil(length / 2));
		const absmax = new Float32Array(blockCount(length));
		const forEachChunk = (run: (chunk: Chunk) => void) => {
			for (let start = 0; start < length; start += size) {
				const count = Math.min(size, length - start);
				const part = (view: View, of: number): View => ({ ...view, shape: [of] });
				const stored = part(room.stored, count);
				backend.upload(stored, values.data.subarray(start, start + count));
				run({
					start,
					stored,
					original: part(room.original, count),
					restored: part(room.restored, count),
					codes: part(room.codes, Math.ceil(count / 2)),
					scales: part(room.scales, blockCount(count)),
				});
			}
		};
		forEachChunk(({ start, stored, codes, scales }) => {
			const failedAt = backend.quantizeTable4(codes, scales, codebook, stored);
			if (failedAt >= 0) throw notFinite(readFloat32(source, name)[start + failedAt]!, start + failedAt);
			packed.set(backend.download(codes) as Uint8Array, start / 2);
			absmax.set(backend.download(scales) as Float32Array, start / blockSize);
		});
		const double = doubleQuantization ? quantizeAbsmax(absmax) : undefined;
		const restoredAbsmax = double === undefined ? absmax : restoreAbsmax(double);
		let errors: ErrorSums = noErrors;
		forEachChunk(({ start, stored, original, restored, codes, scales }) => {
			const count = elements(stored.shape);
			backend.upload(codes, packed.subarray(start / 2, start / 2 + elements(codes.shape)));
			const firstBlock = start / blockSize;
			backend.upload(scales, restoredAbsmax.subarray(firstBlock, firstBlock + elements(scales.shape)));
			backend.copy(original, stored);
			const weight = { layout: 'table4', shape: [1, count], codes, scales, codebook } as const;
			backend.dequantize({ ...restored, shape: [1, count] }, weight);
			const [before, after] = [backend.download(original), backend.download(restored)];
			errors = addErrors(errors, errorSums(before as Float32Array, after as Float32Array));
		});
		const matrix = { type, shape: [shape[0]!, shape[1]!], blockSize, packed } as const;
		const common = { ...matrix, valueType: valueTypeOf(dtype), absmax: restoredAbsmax };
		return { matrix: double === undefined ? common : { ...common, double }, errors };
	} finally {
		for (const { buffer } of buffers) backend.free(buffer);
	}
}

/** A part of a matrix on the backend, flat. */
interface Chunk {
	/** Its first element. */
	readonly start: number;
	readonly stored: View;
	readonly original: View;
	readonly restored: View;
	readonly codes: View;
	readonly scales: View;
}
