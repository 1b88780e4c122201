import type { Weight } from '../contract.ts';
import type { Workbench } from './workbench.ts';

export const weightKinds = ['f32', 'bf16', 'f16', 'table4', 'table8', 'int8'] as const;
export type WeightKind = (typeof weightKinds)[number];

/** A random frozen matrix [N, K] of this kind. */
export function randomWeight({ draw, input }: Workbench, kind: WeightKind, n: number, k: number): Weight {
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
			const levels = kind === 'table4' ? 16 : 256;
			const bytes = kind === 'table4' ? Math.ceil(count / 2) : count;
			return {
				layout: kind,
				shape,
				codes: input([bytes], Uint8Array.from(draw.integers(bytes, 256))),
				scales: input([blocks], draw.normal(blocks).map(Math.abs)),
				codebook: input([levels], draw.normal(levels)),
			};
		}
	}
}
