/** What lies in a backend's memory. */

export type DataType = 'f32' | 'bf16' | 'f16' | 'i32' | 'u8' | 'i8';

export const BYTES_PER_ELEMENT: Readonly<Record<DataType, number>> = {
	f32: 4,
	bf16: 2,
	f16: 2,
	i32: 4,
	u8: 1,
	i8: 1,
};

/** In what an element type is downloaded. */
export const HOST_ARRAYS = {
	f32: Float32Array,
	bf16: Uint16Array,
	f16: Uint16Array,
	i32: Int32Array,
	u8: Uint8Array,
	i8: Int8Array,
} as const satisfies Record<DataType, unknown>;

/** Memory that a backend owns; only the backend that made it looks inside. */
export interface DeviceBuffer {
	readonly dtype: DataType;
	/** Elements, not bytes. */
	readonly length: number;
}

/** A row-major tensor inside a buffer. Plain data: making or dropping a view costs nothing. */
export interface View {
	readonly buffer: DeviceBuffer;
	/** Elements from the start of the buffer. */
	readonly offset: number;
	readonly dtype: DataType;
	readonly shape: readonly number[];
	/**
	 * Elements from one row to the next, where a matrix is some columns of a wider one (the queries of a fused projection).
	 * Only kernels that say so take such a view; all others take contiguous ones and refuse it.
	 */
	readonly rowStride?: number;
}

/**
 * How the codes of a quantised matrix W [N, K] are stored.
 * - `table4`: two 4-bit codes a byte over the flat matrix, the first in the high nibble; value =
 *   codebook[code] × scales[flat index / 64]. NF4 and FP4 as bitsandbytes lays them out.
 * - `table8`: one code a byte, value = codebook[code] × scales[flat index / 64]. Quantile codebooks, k = 2…8.
 * - `int8`: signed codes, value = code × scales[row].
 */
export type QuantizedLayout = 'table4' | 'table8' | 'int8';

/**
 * Scales of blocks, quantised in their turn (Dettmers et al. 2023, double quantisation): scale i = map[codes[i]] × absmax[i / 256] +
 * offset, both steps rounded to float32.
 */
export interface DoubleScales {
	/** `u8` [blocks] */
	readonly codes: View;
	/** `f32` [blocks / 256, rounded up] */
	readonly absmax: View;
	/** `f32` [256] */
	readonly map: View;
	readonly offset: number;
}

/** How many of an optimiser's moments share a scale: bitsandbytes' block. */
export const MOMENTS_PER_BLOCK = 256;

/**
 * Moments of an optimiser in 8 bits (Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization"): moment i = codebook[codes[i]] ×
 * absmax[i / 256].
 */
export interface QuantizedMoment {
	/** u8 [n] */
	readonly codes: View;
	/** f32 [ceil(n / 256)] */
	readonly absmax: View;
	/** f32 [256], ascending */
	readonly codebook: View;
}

/** A frozen quantised matrix. Blocks of 64 run over the flat matrix, across rows; the last may be short. */
export interface QuantizedWeight {
	readonly layout: QuantizedLayout;
	/** [N, K] */
	readonly shape: readonly number[];
	/** `u8` (`i8` for layout int8). */
	readonly codes: View;
	/** `f32`: one per block of 64, or one per row for layout int8; in 8 bits each only on a device that keeps them so. */
	readonly scales: View | DoubleScales;
	/** `f32` [16] or [2^k]; absent for layout int8. */
	readonly codebook: View | undefined;
}

/** What the frozen side of a matrix product may be. */
export type Weight = View | QuantizedWeight;

export function isDouble(scales: View | DoubleScales): scales is DoubleScales {
	return 'map' in scales;
}

/** The scales of a matrix for a device that doesn't keep them quantised; a TypeError where they are. */
export function floatScales({ scales }: QuantizedWeight): View {
	if (isDouble(scales)) throw new TypeError('this backend keeps no scales that are quantised');
	return scales;
}

/** Everything that a weight lies in. */
export function viewsOf(weight: Weight): readonly View[] {
	if (!isQuantized(weight)) return [weight];
	const { codes, scales, codebook } = weight;
	const parts = isDouble(scales) ? [scales.codes, scales.absmax, scales.map] : [scales];
	return [codes, ...parts, ...(codebook === undefined ? [] : [codebook])];
}

export function isQuantized(weight: Weight): weight is QuantizedWeight {
	return 'layout' in weight;
}

/**
 * Which tokens of a pack attend to which. A segment's tokens see those of their own segment and, where it has a parent, all
 * of the parent's before them: functions that begin alike are the children of their common prefix.
 */
export interface Segments {
	/** i32 [S + 1], ascending from 0 to T: segment s is tokens [starts[s], starts[s + 1]). */
	readonly starts: View;
	/**
	 * i32 [S]: the segment that is s's parent, −1 for none. A parent has none of its own and is followed by all its
	 * children. undefined where no segment has one; attention must be causal where one has.
	 */
	readonly parents?: View | undefined;
	/** S */
	readonly count: number;
	/** T */
	readonly tokens: number;
	/** Tokens of the longest segment, its parent's included. */
	readonly longest: number;
}

/** i32 numbers from 0 that stand for rows of a table, or for classes. */
export interface Indices extends View {
	/** All are smaller. */
	readonly below: number;
}

/** i32 classes, where −100 stands for none. */
export interface Targets extends View {
	/** All are smaller. */
	readonly classes: number;
}

/** i32 [F, 2R]: the ranges [from, to) of rows that each of F functions pools, of which some but not all may be empty. */
export interface Ranges extends View {
	/** None ends later. */
	readonly rows: number;
}
