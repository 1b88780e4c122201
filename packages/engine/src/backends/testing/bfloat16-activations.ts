import { roundToBfloat16, widenBfloat16 } from '../../formats/floats.ts';
import type { Backend, DeviceBuffer, View } from '../contract.ts';
import { kernelNames } from '../method-groups.ts';
import { viewOf } from '../view.ts';

/**
 * A backend of f32 kernels as one whose activations may lie in bfloat16: a kernel works on f32 copies of these, and what it
 * changed is rounded where it belongs.
 */
export function withBfloat16Activations(backend: Backend): Backend {
	const kernels = kernelNames.map((name) => [name, rounding(backend, name)]);
	return {
		...backend,
		...Object.fromEntries(kernels),
		activationType: (precision) => (precision === 'bf16' ? 'bf16' : 'f32'),
	};
}

interface WidenedBuffer {
	readonly wide: DeviceBuffer;
	readonly before: Float32Array;
}

function rounding(backend: Backend, name: (typeof kernelNames)[number]) {
	return (...args: readonly unknown[]): unknown => {
		const widened = new Map<DeviceBuffer, WidenedBuffer>();
		try {
			const kernel = backend[name] as (...args: readonly unknown[]) => unknown;
			const result = kernel(...args.map((value) => widen(backend, value, widened)));
			for (const [buffer, copy] of widened) roundBack(backend, buffer, copy);
			return result;
		} finally {
			for (const { wide } of widened.values()) backend.free(wide);
		}
	};
}

/** The argument with every view of bfloat16 in it replaced by one of a copy; views of one buffer share it. */
function widen(backend: Backend, value: unknown, widened: Map<DeviceBuffer, WidenedBuffer>): unknown {
	if (Array.isArray(value)) return value.map((one) => widen(backend, one, widened));
	if (typeof value !== 'object' || value === null) return value;
	if (!('buffer' in value)) {
		const entries = Object.entries(value).map(([key, one]) => [key, widen(backend, one, widened)]);
		return Object.fromEntries(entries);
	}
	const view = value as View;
	if (view.dtype !== 'bf16') return view;
	const copy = widened.get(view.buffer) ?? widenBuffer(backend, view.buffer);
	widened.set(view.buffer, copy);
	return { ...view, dtype: 'f32', buffer: copy.wide };
}

function widenBuffer(backend: Backend, buffer: DeviceBuffer): WidenedBuffer {
	const before = widenBfloat16(backend.download(viewOf(buffer, [buffer.length])) as Uint16Array);
	const wide = backend.allocate('f32', buffer.length);
	backend.upload(viewOf(wide, [wide.length]), before);
	return { wide, before };
}

/** Leaves what is the same as before, margins of NaN too, as it was. */
function roundBack(backend: Backend, buffer: DeviceBuffer, { wide, before }: WidenedBuffer): void {
	const after = backend.download(viewOf(wide, [wide.length])) as Float32Array;
	const rounded = roundToBfloat16(after);
	const whole = viewOf(buffer, [buffer.length]);
	const target = backend.download(whole) as Uint16Array;
	for (let i = 0; i < target.length; i++) {
		if (!Object.is(after[i], before[i])) target[i] = rounded[i]!;
	}
	backend.upload(whole, target);
}
