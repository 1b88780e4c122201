import {
	type Backend,
	type Device,
	type FusedKernels,
	floatPrecision,
	type Kernels,
	type LoraOptions,
	type View,
} from './contract.ts';
import { addErrors, errorSums, noErrors } from './error-sums.ts';
import { elements, viewOf } from './view.ts';

/** A backend that may leave out any fused kernel. */
export type PlainBackend = Pick<Backend, 'name' | 'description' | 'hardware'> &
	Device &
	Kernels &
	Partial<FusedKernels>;

/** The backend with every fused kernel that it doesn't bring composed of its plain ones. */
export function withComposedKernels(backend: PlainBackend): Backend {
	const lora = { ...composedLora(backend), ...given(backend, ['loraForward', 'loraBackward']) };
	const linear = composedLinear({ ...backend, ...lora });
	return { ...linear, ...lora, ...composedErrors(backend), ...backend };
}

function given<Name extends keyof FusedKernels>(backend: PlainBackend, names: readonly Name[]) {
	return Object.fromEntries(
		names.filter((name) => backend[name] !== undefined).map((name) => [name, backend[name]]),
	) as Partial<Pick<FusedKernels, Name>>;
}

type LoraKernels = Pick<FusedKernels, 'loraForward' | 'loraBackward'>;

/** An adapter pair as products, with what lies between them in memory of its own. */
export function composedLora(backend: Device & Kernels): LoraKernels {
	/** Runs `body` with a matrix that is gone afterwards. */
	function withMatrix(
		shape: readonly [number, number],
		dtype: View['dtype'],
		body: (matrix: View) => void,
	): void {
		const buffer = backend.allocate(dtype, shape[0] * shape[1]);
		try {
			body(viewOf(buffer, shape));
		} finally {
			backend.free(buffer);
		}
	}

	/** Runs `body` with dropout(x) [M, K]. */
	function withInput(x: View, { dropout }: LoraOptions, body: (input: View) => void): void {
		if (dropout === undefined) {
			body(x);
			return;
		}
		withMatrix(x.shape as [number, number], x.dtype, (input) => {
			backend.dropout(input, x, dropout);
			body(input);
		});
	}

	return {
		loraForward(y, h, x, a, b, options) {
			const { precision, scale } = options;
			withInput(x, options, (input) => {
				backend.matmulNT(h, input, a, { precision, accumulate: false, scale: 1 }); // [M, r]
			});
			backend.matmulNT(y, h, b, { precision, accumulate: true, scale }); // [M, N]
		},
		loraBackward({ dx, dA, dB }, { x, h, a, b }, dy, options) {
			const { precision, scale, dropout } = options;
			const [tokens, inputs] = x.shape as [number, number];
			const rank = a.shape[0]!;
			backend.matmulTN(dB.view, dy, h, { precision: 'fp32', accumulate: dB.accumulate, scale }); // [N, r]
			withMatrix([tokens, rank], 'f32', (dh) => {
				backend.matmulNN(dh, dy, b, { precision, accumulate: false, scale }); // [M, r]
				withInput(x, options, (input) => {
					backend.matmulTN(dA.view, dh, input, { precision: 'fp32', accumulate: dA.accumulate, scale: 1 }); // [r, K]
				});
				if (dx === undefined) return;
				if (dropout === undefined) {
					backend.matmulNN(dx.view, dh, a, { precision, accumulate: dx.accumulate, scale: 1 }); // [M, K]
					return;
				}
				withMatrix([tokens, inputs], dx.view.dtype, (dInput) => {
					backend.matmulNN(dInput, dh, a, { precision, accumulate: false, scale: 1 }); // [M, K]
					backend.dropout(dInput, dInput, dropout);
					if (dx.accumulate) backend.addScaled(dx.view, dInput, 1);
					else backend.copy(dx.view, dInput);
				});
			});
		},
	};
}

export type LinearGroup = Pick<FusedKernels, 'linearForward' | 'linearBackward'>;
export type LinearParts = Pick<Kernels, 'matmulNT' | 'matmulNN'> & LoraKernels;

/** Linear layers with their adapters, one product after the other: what faster ways must agree with. */
export function composedLinear(parts: LinearParts): LinearGroup {
	return {
		linearForward(x, layers, precision) {
			for (const { y, weight, lora } of layers) {
				parts.matmulNT(y, x, weight, { precision, accumulate: false, scale: 1 });
				if (lora === undefined) continue;
				const { h, a, b, scale, dropout } = lora;
				parts.loraForward(y, h, x, a, b, { scale, dropout, precision: floatPrecision(precision) });
			}
		},
		linearBackward({ dx, dA, dB }, saved, dy, options) {
			const { precision } = options;
			if (dx !== undefined) {
				parts.matmulNN(dx.view, dy, saved.weight, { precision, accumulate: dx.accumulate, scale: 1 });
			}
			const rest = dx === undefined ? undefined : { view: dx.view, accumulate: true };
			parts.loraBackward({ dx: rest, dA, dB }, saved, dy, {
				...options,
				precision: floatPrecision(precision),
			});
		},
	};
}

/** Elements that are compared at a time: whole blocks, and little beside a large matrix. */
const comparedElements = 2 ** 22;
const blockElements = 64;

/** The errors of a quantised matrix, found by the host: a part of it at a time is restored beside a copy in float32. */
function composedErrors(backend: Device & Kernels): Pick<FusedKernels, 'table4Errors'> {
	const partOf = (view: View, from: number, count: number): View => ({
		...view,
		offset: view.offset + from,
		shape: [count],
	});
	return {
		table4Errors(codes, absmax, codebook, x) {
			const length = elements(x.shape);
			const size = Math.min(length, comparedElements);
			const both = backend.allocate('f32', 2 * size);
			try {
				let errors = noErrors;
				for (let start = 0; start < length; start += size) {
					const count = Math.min(size, length - start);
					const weight = {
						layout: 'table4',
						shape: [1, count],
						codes: partOf(codes, start / 2, Math.ceil(count / 2)),
						scales: partOf(absmax, start / blockElements, Math.ceil(count / blockElements)),
						codebook,
					} as const;
					const [original, restored] = [viewOf(both, [count]), viewOf(both, [1, count], size)];
					backend.copy(original, partOf(x, start, count));
					backend.dequantize(restored, weight);
					errors = addErrors(errors, errorSums(backend.download(original), backend.download(restored)));
				}
				return errors;
			} finally {
				backend.free(both);
			}
		},
	};
}
