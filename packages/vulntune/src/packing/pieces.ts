import type { PackingOptions, Piece } from './options.ts';

/**
 * The parts in which a function of `length` tokens is packed; none where it is ignored.
 *
 * A function fits where it and its separator (and what else is put around it) are at most `options.length` tokens. Truncation keeps the head, as the
 * paper's code does. Windows overlap by all but the stride, and the last one ends with the function, so that every
 * window is full.
 */
export function cutFunction(functionIndex: number, length: number, options: PackingOptions): Piece[] {
	const { leadingLength = 0, suffixLength = 0 } = options;
	const around = { ...(leadingLength > 0 && { leadingLength }), suffixLength };
	const room = options.length - leadingLength - suffixLength - 1;
	const whole = { functionIndex, start: 0, windowIndex: 0, windowCount: 1, ...around };
	if (length <= room) return [{ ...whole, end: length }];
	if (options.largeFunctions === 'ignore') return [];
	if (options.largeFunctions === 'truncate') {
		return [{ ...whole, end: room }];
	}
	const stride = Math.min(room, options.windowStride ?? Math.max(1, Math.floor(room / 2)));
	const windowCount = Math.ceil((length - room) / stride) + 1;
	return Array.from({ length: windowCount }, (_, windowIndex) => {
		const start = Math.min(windowIndex * stride, length - room);
		return { functionIndex, start, end: start + room, windowIndex, windowCount, ...around };
	});
}
