import type { DoubleScales, View, Weight } from '../contract.ts';
import type { Workbench } from './workbench.ts';

export const weightKinds = ['f32', 'bf16', 'f16', 'table4', 'table4double', 'table8', 'int8'] as const;
export type WeightKind = (typeof weightKinds)[number];

/** A random frozen matrix [N, K] of this kind. */
export function randomWeight(
	bench: Pick<Workbench, 'backend' | 'draw' | 'input'>,
	kind: WeightKind,
	n: number,
	k: number,
): Weight {
	const { draw, input } = bench;
	const shape = [n, k];
	const count = n * k;
	switch (kind) {
		case 'f32':
			return input(shape, draw.normal(count));
		case 'bf16': // the upper half of a float32
			return input(
				shape,
				Uint16Array.from(new Uint32Array(draw.normal(count).buffer), (word) => word >>> 16),
				kind,
			);
		case 'f16':
			return input(shape, new Uint16Array(new Float16Array(draw.normal(count)).buffer), kind);
		case 'int8':
			return {
				layout: kind,
				shape,
				codes: input(
					shape,
					Int8Array.from(draw.integers(count, 255), (code) => code - 127),
				),
				scales: input([n], draw.normal(n, 0.01).map(Math.abs)),
				codebook: undefined,
			};
		default: {
			const blocks = Math.ceil(count / 64);
			const layout = kind === 'table8' ? kind : 'table4';
			const levels = layout === 'table4' ? 16 : 256;
			const bytes = layout === 'table4' ? Math.ceil(count / 2) : count;
			return {
				layout,
				shape,
				codes: input([bytes], Uint8Array.from(draw.integers(bytes, 256))),
				scales:
					kind === 'table4double'
						? doubleScales(bench, blocks)
						: input([blocks], draw.normal(blocks).map(Math.abs)),
				codebook: input([levels], draw.normal(levels)),
			};
		}
	}
}

/** Scales that are quantised in their turn; restored for a device that doesn't keep them so. */
function doubleScales(
	{ backend, draw, input }: Pick<Workbench, 'backend' | 'draw' | 'input'>,
	blocks: number,
): View | DoubleScales {
	const nested = 256;
	const codes = Uint8Array.from(draw.integers(blocks, 256));
	const absmax = draw.normal(Math.ceil(blocks / nested)).map(Math.abs);
	const map = draw.normal(256);
	const [offset] = draw.normal(1) as unknown as [number];
	if (!backend.keepsDoubleScales) {
		const restored = Float32Array.from(
			codes,
			(code, i) => Math.fround(map[code]! * absmax[Math.floor(i / nested)]!) + offset,
		);
		return input([blocks], restored);
	}
	return {
		codes: input([blocks], codes),
		absmax: input([absmax.length], absmax),
		map: input([256], map),
		offset,
	};
}
