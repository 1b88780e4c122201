import type { Backend, DataType, DeviceBuffer, View } from '../backends/contract.ts';
import { elements, viewOf } from '../backends/view.ts';

/** Uninitialised memory that the caller of `allocateTogether` owns. */
export type Allocate = (dtype: DataType, shape: readonly number[]) => View;

/** Runs `body`, which makes something of several buffers; if it throws, those it has got already are given back. */
export function allocateTogether<T>(backend: Backend, body: (allocate: Allocate) => T): T {
	const buffers: DeviceBuffer[] = [];
	try {
		return body((dtype, shape) => {
			const buffer = backend.allocate(dtype, elements(shape));
			buffers.push(buffer);
			return viewOf(buffer, shape);
		});
	} catch (error) {
		for (const buffer of buffers) backend.free(buffer);
		throw error;
	}
}
