import type { Backend } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { describe, elements } from '../view.ts';
import type { CudaDevice } from './device.ts';
import { storages } from './weights.ts';

const [scaleBlock, codes16, threadsOfBlock] = [64, 16, 32] as const;
const none = 0x7fff_ffff;

/** The codes by ascending value (of equal values the lower code first) and the midpoints between neighbours, in float32. */
function nearestTable(codebook: ArrayLike<number>) {
	const order = Uint8Array.from({ length: codes16 }, (_, code) => code);
	order.sort((a, b) => codebook[a]! - codebook[b]! || a - b);
	const midpoints = Float32Array.from(
		{ length: codes16 - 1 },
		(_, rank) => Math.fround(codebook[order[rank]!]! + codebook[order[rank + 1]!]!) / 2,
	);
	return { order, midpoints };
}

/** Quantisation of frozen matrices while they are loaded. */
export function quantizeGroup(device: CudaDevice): Pick<Backend, 'quantizeTable4'> {
	const { driver, stream } = device;
	return {
		quantizeTable4(codes, absmax, codebook, x) {
			if (!['f32', 'bf16', 'f16'].includes(x.dtype)) {
				throw programError('CUDA_TYPE', `${describe(x)} can't be quantised`);
			}
			const count = elements(x.shape);
			return device.withScratch(
				() => `quantising ${describe(x)}`,
				(take) => {
					const values = new Float32Array(codes16);
					driver.cuMemcpyDtoHAsync_v2(values, device.floats(codebook), values.byteLength, stream);
					device.finish();
					const { order, midpoints } = nearestTable(values);
					const [onCard, middle, found] = [take(order.byteLength), take(midpoints.byteLength), take(4)];
					const first = Int32Array.of(none);
					driver.cuMemcpyHtoDAsync_v2(onCard, order, order.byteLength, stream);
					driver.cuMemcpyHtoDAsync_v2(middle, midpoints, midpoints.byteLength, stream);
					driver.cuMemcpyHtoDAsync_v2(found, first, 4, stream);
					device.launchOver('quantizeTable4', threadsOfBlock * Math.ceil(count / scaleBlock), [
						...[device.address(codes), device.floats(absmax), onCard, middle],
						...[device.address(x), storages.indexOf(x.dtype), count, found],
					]);
					driver.cuMemcpyDtoHAsync_v2(first, found, 4, stream);
					device.finish();
					return first[0] === none ? -1 : first[0]!;
				},
			);
		},
	};
}
