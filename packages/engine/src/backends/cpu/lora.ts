import type { Backend, Dropout, View } from '../contract.ts';
import { describe } from '../view.ts';
import type { Before } from './argument-lists.ts';
import { type CpuDevice, expectType, outOfMemoryGuard } from './device.ts';
import { type Address, NO_ADDRESS } from './handles.ts';
import type { Kernels } from './kernel-table.ts';

/** What kernels of an adapter's gradients take first. */
export type AdapterGradients = Before<
	Parameters<Kernels['loraBackward']>,
	[number, boolean, number, number, number]
>;

export const noDropout: Dropout = { seed: 0, stream: 0, probability: 0 };

function floatsOf(device: CpuDevice, view: View): Address {
	expectType(view, 'f32', 'an adapter');
	return device.address(view);
}

export function adapterGradients(
	device: CpuDevice,
	{ dx, dA, dB }: Parameters<Backend['loraBackward']>[0],
	{ x, h, a, b }: Parameters<Backend['loraBackward']>[1],
	dy: View,
): AdapterGradients {
	const floats = (view: View) => floatsOf(device, view);
	const [tokens, inputs] = x.shape as [number, number];
	const [outputs, rank] = b.shape as [number, number];
	return [
		...([device.engine, tokens, outputs, inputs, rank] as const),
		...([dx === undefined ? NO_ADDRESS : floats(dx.view), dx?.accumulate === true] as const),
		...([floats(dA.view), dA.accumulate, floats(dB.view), dB.accumulate] as const),
		...([floats(x), floats(h), floats(a), floats(b), floats(dy)] as const),
	];
}

/** The adapter pair, with dropout's mask made while x is packed. */
export function loraGroup(device: CpuDevice): Pick<Backend, 'loraForward' | 'loraBackward'> {
	const { kernels } = device;
	const floats = (view: View) => floatsOf(device, view);
	const needed = (x: View, b: View) => () => `an adapter ${describe(b)} of ${describe(x)}`;

	return {
		loraForward(y, h, x, a, b, { scale, precision, dropout = noDropout }) {
			const [tokens, inputs] = x.shape as [number, number];
			const [outputs, rank] = b.shape as [number, number];
			const { seed, stream, probability } = dropout;
			outOfMemoryGuard(needed(x, b), () =>
				kernels.loraForward(
					...([device.engine, tokens, outputs, inputs, rank] as const),
					...([floats(y), floats(h), floats(x), floats(a), floats(b)] as const),
					...([scale, precision === 'bf16', seed, stream, probability] as const),
				),
			);
		},
		loraBackward(gradients, saved, dy, { scale, precision, dropout = noDropout }) {
			const { seed, stream, probability } = dropout;
			outOfMemoryGuard(needed(saved.x, saved.b), () =>
				kernels.loraBackward(
					...adapterGradients(device, gradients, saved, dy),
					...([scale, precision === 'bf16', seed, stream, probability] as const),
				),
			);
		},
	};
}
