import { withComposedKernels } from '../compose-kernels.ts';
import type { Backend } from '../contract.ts';
import { activationGroup } from './activations.ts';
import { capabilityText } from './card.ts';
import { createDevice } from './create-device.ts';
import { crossEntropyGroup } from './cross-entropy.ts';
import type { CudaDevice, KernelChoice } from './device.ts';
import { elementwiseGroup } from './elementwise.ts';
import { mixedAttentionGroup } from './flash-attention.ts';
import { linearGroup } from './linear.ts';
import { loraGroup } from './lora.ts';
import { focalGroup } from './losses.ts';
import { matmulGroup } from './matmul.ts';
import { memoryGroup } from './memory.ts';
import { normGroup } from './norms.ts';
import { optimizerGroup } from './optimizer.ts';
import { quantizeGroup } from './quantize.ts';
import { rowGroup } from './rows.ts';

export interface CudaBackendOptions {
	/** Which card, counted from 0. */
	readonly device?: number;
	/** `mma` leaves out what only Hopper has. */
	readonly kernels?: KernelChoice;
}

/**
 * The backend of NVIDIA cards: kernels that the driver compiles from PTX, called through it alone. No CUDA toolkit is needed.
 *
 * Kernels run in the order of their calls, asynchronously: only `download`, `sumOfSquares`, `quantizeTable4` and uploads of many MiB wait, and
 * what `startDownload` gives.
 *
 * Errors: `CUDA_FFI_MISSING`, `CUDA_DRIVER_MISSING`, `CUDA_DRIVER_OLD`, `CUDA_NO_DEVICE`, `CUDA_CARD_OLD`,
 * `CUDA_KERNELS` (runtime) and
 * `CUDA_DEVICE` (input) where this machine can't run it, in well under a second; `OUT_OF_MEMORY` (resources);
 * `CUDA_FAILED` (runtime) for what goes wrong on the card.
 */
export function createCudaBackend(options: CudaBackendOptions = {}): Backend {
	return cudaBackendOn(createDevice(options.device ?? 0, options.kernels));
}

/** The backend of a card that is open. */
export function cudaBackendOn(device: CudaDevice): Backend {
	const { ordinal, name, capability, multiprocessors, driver, memoryBytes } = device.card;
	const plain = {
		name: 'cuda',
		description: `${name}, compute capability ${capabilityText(capability)}, driver of CUDA ${driver}${device.kernels === 'mma' ? ', kernels: mma' : ''}`,
		hardware: {
			card: {
				...{ ordinal, name, capability: capabilityText(capability), multiprocessors },
				...{ driver, memoryBytes, kernels: device.kernels },
			},
		},
		...memoryGroup(device),
		...elementwiseGroup(device),
		...matmulGroup(device),
		...quantizeGroup(device),
		...normGroup(device),
		...mixedAttentionGroup(device),
		...activationGroup(device),
		...rowGroup(device),
		...crossEntropyGroup(device),
		...focalGroup(device),
		...optimizerGroup(device),
		close: device.close,
	};
	const lora = loraGroup(device, plain);
	return withComposedKernels({ ...plain, ...lora, ...linearGroup(device, { ...plain, ...lora }) });
}
