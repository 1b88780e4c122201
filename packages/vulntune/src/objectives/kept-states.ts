import { allocate, type Context, type ForwardOptions, HOST_ARRAYS, type Tensor } from '@vulntune/engine';
import type { KeptStates, LowerStates } from '../methods/kept-states.ts';
import type { Pack } from '../packing/pack.ts';

/** The kept states [F, K] of a pack's functions; undefined where one is missing. */
export function keptPooledStates(
	context: Context,
	states: KeptStates,
	pack: Pack,
	size: number,
): Tensor | undefined {
	const kept = allKept(states, pack);
	return kept && uploadRows(context, kept, kept.length, size); // [F, K]
}

/** @param pooled [F, K] */
export function keepPooledStates(context: Context, states: KeptStates, pack: Pack, pooled: Tensor): void {
	const rows = rowsOf(context, pooled);
	for (let f = 0; f < pack.poolPositions.length; f++) states.put(pieceTokens(pack, f), rows(f, f + 1));
}

/**
 * How a pass over a pack spares the blocks below the lowest trained one: it begins with the states that enter this, where they are kept of
 * all functions, and keeps them where not. Rows of a function that it shares with another one are kept with either.
 */
export function aboveLowerStates(
	context: Context,
	{ block, states }: LowerStates,
	pack: Pack,
	hiddenSize: number,
): Pick<ForwardOptions, 'start' | 'observe'> {
	const { inputIds, pieceStarts, prefixRanges } = pack;
	const kept = allKept(states, pack);
	if (kept !== undefined) {
		const own = kept.map((bytes, f) => {
			const ownRows = pieceStarts[f + 1]! - pieceStarts[f]!;
			const prefixRows = prefixRanges[2 * f + 1]! - prefixRanges[2 * f]!;
			return bytes.subarray((bytes.length / (prefixRows + ownRows)) * prefixRows);
		});
		return { start: { block, states: uploadRows(context, own, inputIds.length, hiddenSize) } }; // [T, H]
	}
	return {
		observe(layer, x) {
			if (layer !== block) return;
			const rows = rowsOf(context, x);
			for (let f = 0; f < pack.poolPositions.length; f++) {
				const prefix = rows(prefixRanges[2 * f]!, prefixRanges[2 * f + 1]!);
				const own = rows(pieceStarts[f]!, pieceStarts[f + 1]!);
				states.put(pieceTokens(pack, f), Buffer.concat([prefix, own]));
			}
		},
	};
}

/** What is kept of every piece of a pack; undefined where one is missing. */
function allKept(states: KeptStates, pack: Pack): Uint8Array[] | undefined {
	const kept: Uint8Array[] = [];
	for (let f = 0; f < pack.poolPositions.length; f++) {
		const bytes = states.get(pieceTokens(pack, f));
		if (bytes === undefined) return undefined;
		kept.push(bytes);
	}
	return kept;
}

/** All tokens of a function or window in a pack, those that it shares with another one included, its separator not. */
function pieceTokens({ inputIds, prefixRanges, pieceStarts }: Pack, f: number): Int32Array {
	const prefix = inputIds.subarray(prefixRanges[2 * f]!, prefixRanges[2 * f + 1]!);
	const own = inputIds.subarray(pieceStarts[f]!, pieceStarts[f + 1]! - 1);
	const tokens = new Int32Array(prefix.length + own.length);
	tokens.set(prefix);
	tokens.set(own, prefix.length);
	return tokens;
}

/** The bytes of rows [from, to) of an activation. */
function rowsOf(context: Context, activation: Tensor): (from: number, to: number) => Uint8Array {
	const { buffer, byteOffset, byteLength } = context.backend.download(activation);
	const rowBytes = byteLength / activation.shape[0]!;
	return (from, to) => new Uint8Array(buffer, byteOffset + from * rowBytes, (to - from) * rowBytes);
}

/** An activation [rows, size] of rows one after the other. */
function uploadRows(context: Context, parts: readonly Uint8Array[], rows: number, size: number): Tensor {
	const states = allocate(context, [rows, size], false); // [rows, size]
	const values = new HOST_ARRAYS[states.dtype](rows * size); // [rows, size]
	const bytes = new Uint8Array(values.buffer);
	let end = 0;
	for (const part of parts) {
		bytes.set(part, end);
		end += part.length;
	}
	context.backend.upload(states, values);
	return states;
}
