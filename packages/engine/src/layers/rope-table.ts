import type { Backend, Indices, View } from '../backends/contract.ts';
import type { RopeScaling } from '../formats/huggingface/rope-scaling.ts';
import { gatherRows } from '../ops/gather-rows.ts';
import type { Angles } from '../ops/rope.ts';
import { allocateTogether } from '../tensor/allocate-together.ts';
import { type Context, constant } from '../tensor/tensor.ts';

/** Angle per position of each pair (i, i + headDim/2): theta^(−2i/headDim), scaled. */
export function inverseFrequencies(headDim: number, theta: number, scaling: RopeScaling): Float64Array {
	const frequencies = new Float64Array(headDim / 2);
	for (let i = 0; i < frequencies.length; i++) {
		frequencies[i] = scaleFrequency(theta ** ((-2 * i) / headDim), scaling);
	}
	return frequencies;
}

function scaleFrequency(frequency: number, scaling: RopeScaling): number {
	if (scaling.type === 'none') return frequency;
	if (scaling.type === 'linear') return frequency / scaling.factor;
	const { factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions } = scaling;
	const turns = (originalMaxPositions * frequency) / (2 * Math.PI);
	if (turns < lowFrequencyFactor) return frequency / factor;
	if (turns > highFrequencyFactor) return frequency;
	const smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
	return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** cos and sin of every position up to a limit, in the backend's memory. */
export interface RopeTable {
	/** f32 [positions, headDim/2] */
	readonly cos: View;
	readonly sin: View;
	readonly positions: number;
}

/** cos and sin of every position up to a limit: [positions, headDim/2] each, on the host. */
export function angleTables(
	frequencies: Float64Array,
	positions: number,
): { readonly cos: Float32Array<ArrayBuffer>; readonly sin: Float32Array<ArrayBuffer> } {
	const half = frequencies.length;
	const cos = new Float32Array(positions * half);
	const sin = new Float32Array(positions * half);
	for (let position = 0; position < positions; position++) {
		for (let i = 0; i < half; i++) {
			const angle = position * frequencies[i]!;
			cos[position * half + i] = Math.cos(angle);
			sin[position * half + i] = Math.sin(angle);
		}
	}
	return { cos, sin };
}

export function createRopeTable(backend: Backend, frequencies: Float64Array, positions: number): RopeTable {
	const { cos, sin } = angleTables(frequencies, positions);
	const shape = [positions, frequencies.length];
	return allocateTogether(backend, (allocate) => {
		const table = { cos: allocate('f32', shape), sin: allocate('f32', shape), positions };
		backend.upload(table.cos, cos);
		backend.upload(table.sin, sin);
		return table;
	});
}

/** The angles of each token of a pack: rows of the table at i32 positions [T], in f32 whatever activations lie in. */
export function anglesAt(context: Context, table: RopeTable, positions: Indices): Angles {
	const exact: Context = { ...context, precision: 'fp32' };
	return {
		cos: gatherRows(exact, constant(table.cos), positions), // [T, headDim/2]
		sin: gatherRows(exact, constant(table.sin), positions), // [T, headDim/2]
	};
}
