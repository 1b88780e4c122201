import type { Backend } from '../contract.ts';
import { elements, viewOf } from '../view.ts';
import type { CpuDevice } from './device.ts';
import { nativeWeight } from './matmul.ts';
import type { MemoryGroup } from './memory.ts';

/** Quantisation of frozen matrices, and what is lost by it. */
export function quantizeGroup(
	device: CpuDevice,
	memory: MemoryGroup,
): Pick<Backend, 'quantizeTable4' | 'table4Errors'> {
	const { address, kernels } = device;
	return {
		quantizeTable4(codes, absmax, codebook, x) {
			const { storage, data } = nativeWeight(device, x);
			const [to, scales, table] = [address(codes), address(absmax), address(codebook)];
			return kernels.quantizeTable4(device.engine, to, scales, table, storage, data, elements(x.shape));
		},
		table4Errors(codes, absmax, codebook, x) {
			const count = elements(x.shape);
			const { storage, data } = nativeWeight(device, x);
			const [from, scales, table] = [address(codes), address(absmax), address(codebook)];
			const sums = memory.allocate('f32', 4);
			try {
				const view = viewOf(sums, [4]);
				kernels.table4Errors(device.engine, address(view), from, scales, table, storage, data, count);
				const [maxAbs, abs, noise, signal] = memory.download(view);
				return { elements: count, maxAbs: maxAbs!, abs: abs!, noise: noise!, signal: signal! };
			} finally {
				memory.free(sums);
			}
		},
	};
}
