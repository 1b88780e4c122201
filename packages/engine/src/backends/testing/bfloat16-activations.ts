import { roundToBfloat16, widenBfloat16 } from '../../formats/floats.ts';
import type { Backend, DeviceBuffer, View } from '../contract.ts';
import { createDryCardBackend } from '../dry-backend.ts';
import { kernelNames } from '../method-groups.ts';
import { viewOf } from '../view.ts';

type KernelName = (typeof kernelNames)[number];

/**
 * A backend of f32 kernels as one whose activations may lie in bfloat16: a kernel works on f32 copies of these, and what it
 * changed is rounded where it belongs. f32 kernels would forgive any mixture of types, so each call is made on a card that
 * isn't there first, which refuses what a card refuses.
 */
export function withBfloat16Activations(backend: Backend): Backend {
	const kernels = kernelNames.map((name) => [name, rounding(backend, name)]);
	return {
		...backend,
		...Object.fromEntries(kernels),
		activationType: (precision) => (precision === 'bf16' ? 'bf16' : 'f32'),
	};
}

function rounding(backend: Backend, name: KernelName) {
	return (...args: readonly unknown[]): unknown => {
		refuseAsCardsDo(name, args);
		const widened = new Map<DeviceBuffer, WidenedBuffer>();
		try {
			const result = call(
				backend,
				name,
				args.map((value) => mapViews(value, (view) => widen(backend, view, widened))),
			);
			for (const [buffer, copy] of widened) roundBack(backend, buffer, copy);
			return result;
		} finally {
			for (const { wide } of widened.values()) backend.free(wide);
		}
	};
}

function call(backend: Backend, name: KernelName, args: readonly unknown[]): unknown {
	return (backend[name] as (...args: readonly unknown[]) => unknown)(...args);
}

/** An argument of a kernel with every view in it replaced. */
function mapViews(value: unknown, replace: (view: View) => View): unknown {
	if (Array.isArray(value)) return value.map((one) => mapViews(one, replace));
	if (typeof value !== 'object' || value === null) return value;
	if ('buffer' in value) return replace(value as View);
	return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mapViews(one, replace)]));
}

const card = createDryCardBackend({
	name: 'a card that is not there',
	capability: 80,
	multiprocessors: 108,
	memoryBytes: 2 ** 36,
});

/** Throws what the cuda backend throws for these arguments. */
function refuseAsCardsDo(name: KernelName, args: readonly unknown[]): void {
	const twins = new Map<DeviceBuffer, DeviceBuffer>();
	const twinOf = ({ buffer, ...rest }: View): View => {
		const twin = twins.get(buffer) ?? card.allocate(buffer.dtype, buffer.length);
		twins.set(buffer, twin);
		return { ...rest, buffer: twin };
	};
	try {
		call(
			card,
			name,
			args.map((value) => mapViews(value, twinOf)),
		);
	} finally {
		for (const twin of twins.values()) card.free(twin);
	}
}

interface WidenedBuffer {
	readonly wide: DeviceBuffer;
	readonly before: Float32Array;
}

/** A view of bfloat16 as one of a copy; views of one buffer share it. */
function widen(backend: Backend, view: View, widened: Map<DeviceBuffer, WidenedBuffer>): View {
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
