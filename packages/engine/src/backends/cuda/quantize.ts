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
	order.sort((a, b) => codebook[a]! - codebook[b]!);
	const midpoints = Float32Array.from(
		{ length: codes16 - 1 },
		(_, rank) => Math.fround(codebook[order[rank]!]! + codebook[order[rank + 1]!]!) / 2,
	);
	return { order, midpoints };
}

/** Quantisation of frozen matrices while they are loaded. */
export function quantizeGroup(device: CudaDevice): Pick<Backend, 'quantizeTable4'> {
	const { staging } = device;
	return {
		quantizeTable4(codes, absmax, codebook, x) {
			if (!['f32', 'bf16', 'f16'].includes(x.dtype)) {
				throw programError('CUDA_TYPE', `${describe(x)} can't be quantised`);
			}
			const count = elements(x.shape);
			return device.withScratch(
				() => `quantising ${describe(x)}`,
				(take) => {
					const values = staging.download(new Float32Array(codes16), device.floats(codebook))();
					const { order, midpoints } = nearestTable(values);
					const [onCard, middle, found] = [take(order.byteLength), take(midpoints.byteLength), take(4)];
					staging.upload(onCard, order);
					staging.upload(middle, midpoints);
					staging.upload(found, Int32Array.of(none));
					device.launchOver('quantizeTable4', threadsOfBlock * Math.ceil(count / scaleBlock), [
						...[device.address(codes), device.floats(absmax), onCard, middle],
						...[device.address(x), storages.indexOf(x.dtype), count, found],
					]);
					const [first] = staging.download(new Int32Array(1), found)();
					return first === none ? -1 : first!;
				},
			);
		},
	};
}
