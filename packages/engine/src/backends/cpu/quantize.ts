import type { Backend } from '../contract.ts';
import { programError } from '../owned-buffers.ts';
import { describe, elements } from '../view.ts';
import type { CpuDevice } from './device.ts';

/** Quantisation of frozen matrices while they are loaded. */
export function quantizeGroup(device: CpuDevice): Pick<Backend, 'quantizeTable4'> {
	const { address, kernels } = device;
	const bySource = {
		f32: kernels.quantizeTable4F32,
		bf16: kernels.quantizeTable4Bf16,
		f16: kernels.quantizeTable4F16,
	} as const;
	return {
		quantizeTable4(codes, absmax, codebook, x) {
			const kernel = bySource[x.dtype as keyof typeof bySource];
			if (kernel === undefined) throw programError('CPU_TYPE', `${describe(x)} can't be quantised`);
			const [to, scales, table, from] = [address(codes), address(absmax), address(codebook), address(x)];
			return kernel(device.engine, to, scales, table, from, elements(x.shape));
		},
	};
}
