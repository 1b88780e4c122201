import { withComposedKernels } from '../compose-kernels.ts';
import type { Backend } from '../contract.ts';
import * as activations from './activations.ts';
import * as attention from './attention.ts';
import * as elementwise from './elementwise.ts';
import * as lora from './lora.ts';
import * as losses from './losses.ts';
import * as matmul from './matmul.ts';
import { createMemory, type Storage } from './memory.ts';
import * as norms from './norms.ts';
import { adamW, adamW8bit } from './optimizer.ts';
import { quantizeTable4 } from './quantize.ts';
import { rope } from './rope.ts';
import * as rows from './rows.ts';

/**
 * The slow, obvious backend in plain TypeScript: what every other backend is tested against, and what runs where
 * there is no native build. Every sum is accumulated in float64. With `storage: 'f64'` the `f32` buffers hold
 * float64 numbers (`download` gives a Float64Array; `upload` takes either), so that finite differences of whole
 * models reach 1e-6. Memory that nobody wrote reads as NaN.
 *
 * Misuse of buffers throws `VulntuneError`: `BUFFER_FREED`, `BUFFER_FOREIGN`, `BUFFER_TYPE`, `BUFFER_RANGE`,
 * `UPLOAD_TYPE`, `UPLOAD_SIZE`, `BACKEND_CLOSED`, `COPY_TYPE`, `ROW_RANGE`.
 */
export function createReferenceBackend({ storage = 'f32' }: { storage?: Storage } = {}): Backend {
	return withComposedKernels({
		name: 'reference',
		description: `TypeScript, ${storage} storage, float64 accumulation`,
		hardware: {},
		...createMemory(storage),
		fill: elementwise.fill,
		copy: elementwise.copy,
		add: elementwise.add,
		addScaled: elementwise.addScaled,
		scale: elementwise.scale,
		dropout: elementwise.dropout,
		addBias: elementwise.addBias,
		biasBackward: elementwise.biasBackward,
		sumOfSquares: elementwise.sumOfSquares,
		...matmul,
		quantizeTable4,
		...lora,
		...norms,
		rope,
		...attention,
		...activations,
		...rows,
		...losses,
		adamW,
		adamW8bit,
	});
}
