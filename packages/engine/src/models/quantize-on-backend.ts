import type { Backend, DoubleScales, QuantizedWeight, View } from '../backends/contract.ts';
import { readFloat32, type WeightSource } from '../formats/weight-source.ts';
import { blockCount, notFinite } from '../quantize/blockwise.ts';
import { type DoubleQuantization, restoreAbsmax } from '../quantize/double-quantization.ts';
import { type FourBitType, fourBitCodebook } from '../quantize/four-bit.ts';
import { readStored } from '../quantize/stored-values.ts';
import { allocateTogether } from '../tensor/allocate-together.ts';
import { uploadOwned } from '../tensor/tensor.ts';

/**
 * A matrix of the source in 4 bits an element, the same as `quantizeFourBit` makes, by the backend's kernel: it takes a
 * twentieth of the time, and every run with a quantised base begins with this. The values are held for as long as that takes.
 *
 * Throws `QUANTIZE_NOT_FINITE`.
 *
 * @param quantizeScales undefined where the scales stay as they are
 */
export function quantizeOnBackend(
	backend: Backend,
	source: WeightSource,
	name: string,
	type: FourBitType,
	quantizeScales: ((absmax: Float32Array) => DoubleQuantization) | undefined,
): QuantizedWeight {
	const { data, dtype } = readStored(source, name);
	const { shape } = source.info(name)!;
	return allocateTogether(backend, (allocate) => {
		const codes = allocate('u8', [Math.ceil(data.length / 2)]);
		const scales = allocate('f32', [blockCount(data.length)]);
		const codebook = allocate('f32', [16]);
		backend.upload(codebook, fourBitCodebook(type));
		const values = uploadOwned(backend, data, shape, dtype); // [rows, columns]
		const failedAt = backend.quantizeTable4(codes, scales, codebook, values);
		backend.free(values.buffer);
		if (failedAt >= 0) throw notFinite(readFloat32(source, name)[failedAt]!, failedAt);
		const weight = { layout: 'table4', shape, codes, codebook } as const;
		if (quantizeScales === undefined) return { ...weight, scales };
		const absmax = backend.download(scales); // f64 where the reference backend stores that
		const double = quantizeScales(absmax instanceof Float32Array ? absmax : Float32Array.from(absmax));
		if (!backend.keepsDoubleScales) {
			backend.upload(scales, restoreAbsmax(double));
			return { ...weight, scales };
		}
		const kept = placedScales(double, (dtype, values) => {
			const view = allocate(dtype, [values.length]);
			backend.upload(view, values);
			return view;
		});
		backend.free(scales.buffer);
		return { ...weight, scales: kept };
	});
}

/** Scales as a device keeps them that takes them quantised. */
export function placedScales(
	{ codes, nestedAbsmax, map, offset }: DoubleQuantization,
	place: (dtype: 'u8' | 'f32', values: Uint8Array | Float32Array) => View,
): DoubleScales {
	return { codes: place('u8', codes), absmax: place('f32', nestedAbsmax), map: place('f32', map), offset };
}
