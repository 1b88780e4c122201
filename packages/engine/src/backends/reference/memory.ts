import { VulntuneError } from '../../errors.ts';
import type { DataType, Device, DeviceBuffer, HostArray, View } from '../contract.ts';
import { downloadsAtOnce } from '../downloads.ts';
import { describe, extent, isStrided, rowStrideOf, stridedError } from '../view.ts';

export type FloatArray = Float32Array | Float64Array;

/** `f64` makes every `f32` buffer a Float64Array, so that finite differences of whole models are exact enough. */
export type Storage = 'f32' | 'f64';

/** A buffer in JavaScript's memory; `data` is undefined once freed. */
interface HostBuffer extends DeviceBuffer {
	data: HostArray | undefined;
}

function misuse(code: string, message: string, remedy: string): VulntuneError {
	return new VulntuneError({ code, kind: 'runtime', message, remedy });
}

/**
 * The elements of a view, not copied. Throws `BUFFER_FREED`, `BUFFER_FOREIGN`, `BUFFER_TYPE`, `BUFFER_RANGE`, or `VIEW_STRIDE`
 * for columns of a wider matrix.
 */
export function dataOf(view: View): HostArray {
	if (isStrided(view)) throw stridedError(view);
	return stretchOf(view);
}

/** The elements of a view and what lies between its rows, not copied. */
function stretchOf(view: View): HostArray {
	const buffer = view.buffer as HostBuffer;
	if (buffer.data === undefined) {
		throw 'data' in buffer
			? misuse(
					'BUFFER_FREED',
					`a buffer of ${buffer.length} ${buffer.dtype} is used after it was freed`,
					'Free a buffer after the last kernel that reads or writes it.',
				)
			: misuse(
					'BUFFER_FOREIGN',
					'a buffer of another backend was given to the reference backend',
					'Download it there and upload it here.',
				);
	}
	if (view.dtype !== buffer.dtype) {
		throw misuse(
			'BUFFER_TYPE',
			`a view of ${view.dtype} lies on a buffer of ${buffer.dtype}`,
			'Make the view with viewOf, which takes the type from the buffer.',
		);
	}
	const end = view.offset + extent(view);
	if (view.offset < 0 || end > buffer.length) {
		throw misuse(
			'BUFFER_RANGE',
			`view ${describe(view)} at ${view.offset} reaches beyond its buffer of ${buffer.length}`,
			'Allocate a larger buffer or correct the offset.',
		);
	}
	return buffer.data.subarray(view.offset, end);
}

function ofType(view: View, dtype: DataType): HostArray {
	if (view.dtype !== dtype) {
		throw misuse('BUFFER_TYPE', `expected ${dtype}, found ${describe(view)}`, 'Copy it to that type first.');
	}
	return dataOf(view);
}

/** The elements of an `f32` view: float64 numbers with storage `f64`. */
export function floatsOf(view: View): FloatArray {
	return ofType(view, 'f32') as FloatArray;
}

/** The elements of an `f32` matrix that may be columns of a wider one: copied then. */
export function copiedFloats(view: View): FloatArray {
	if (!isStrided(view)) return floatsOf(view);
	const source = stretchOf(view) as FloatArray;
	const [rows, columns] = view.shape as readonly [number, number];
	const copy = source.slice(0, rows * columns);
	for (let row = 0; row < rows; row++) {
		const from = row * rowStrideOf(view);
		copy.set(source.subarray(from, from + columns), row * columns);
	}
	return copy;
}

/** Writes such a matrix. */
export function writeFloats(view: View, values: ArrayLike<number> & FloatArray): void {
	const target = stretchOf(view) as FloatArray;
	const [rows, columns] = view.shape as readonly [number, number];
	for (let row = 0; row < rows; row++) {
		target.set(values.subarray(row * columns, (row + 1) * columns), row * rowStrideOf(view));
	}
}

/** The elements of an `i32` view. */
export function integersOf(view: View): Int32Array {
	return ofType(view, 'i32') as Int32Array;
}

function newArray(dtype: DataType, length: number, storage: Storage): HostArray {
	switch (dtype) {
		// "Uninitialised" is NaN here, so that a kernel that reads what nobody wrote is found at once.
		case 'f32':
			return (storage === 'f64' ? new Float64Array(length) : new Float32Array(length)).fill(Number.NaN);
		case 'bf16':
		case 'f16':
			return new Uint16Array(length).fill(0x7fff);
		case 'i32':
			return new Int32Array(length);
		case 'u8':
			return new Uint8Array(length);
		case 'i8':
			return new Int8Array(length);
	}
}

function checkSource(target: View, data: HostArray, source: ArrayBufferView): HostArray {
	const array = source as HostArray;
	const widened = data instanceof Float64Array && source instanceof Float32Array;
	const sameType = Object.prototype.toString.call(source) === Object.prototype.toString.call(data);
	if (!sameType && !widened) {
		throw misuse(
			'UPLOAD_TYPE',
			`${describe(target)} takes a ${data.constructor.name}, found a ${source.constructor.name}`,
			'Convert the values to the type of the view before uploading.',
		);
	}
	if (array.length !== data.length) {
		throw misuse(
			'UPLOAD_SIZE',
			`${describe(target)} takes ${data.length} elements, found ${array.length}`,
			'Upload exactly as many elements as the view has.',
		);
	}
	return array;
}

/** Buffers as typed arrays, counted. */
export function createMemory(storage: Storage): Device {
	const live = new Set<HostBuffer>();
	let liveBytes = 0;
	let peakBytes = 0;
	let closed = false;

	return {
		allocate(dtype, length) {
			if (closed) {
				throw misuse('BACKEND_CLOSED', 'the reference backend is used after close', 'Create another one.');
			}
			const data = newArray(dtype, length, storage);
			const buffer: HostBuffer = { dtype, length, data };
			live.add(buffer);
			liveBytes += data.byteLength;
			peakBytes = Math.max(peakBytes, liveBytes);
			return buffer;
		},
		free(buffer) {
			const host = buffer as HostBuffer;
			if (!live.delete(host)) {
				throw misuse(
					'BUFFER_FREED',
					`a buffer of ${buffer.length} ${buffer.dtype} is freed twice, or by a backend that doesn't own it`,
					'Let one owner free each buffer, once.',
				);
			}
			liveBytes -= host.data?.byteLength ?? 0;
			host.data = undefined;
		},
		upload(target, source) {
			const data = dataOf(target);
			data.set(checkSource(target, data, source));
		},
		...downloadsAtOnce((source) => dataOf(source).slice()),
		activationType: () => 'f32',
		keepsDoubleScales: false,
		memory() {
			return { liveBuffers: live.size, liveBytes, peakBytes };
		},
		close() {
			for (const buffer of live) buffer.data = undefined;
			live.clear();
			liveBytes = 0;
			closed = true;
		},
	};
}
