import type { PackingOptions, Piece } from './options.ts';

/**
 * The parts in which a function of `length` tokens is packed; none where it is ignored.
 *
 * A function fits where it and its separator are at most `options.length` tokens. Truncation keeps the head, as the
 * paper's code does. Windows overlap by all but the stride, and the last one ends with the function, so that every
 * window is full.
 */
export function cutFunction(functionIndex: number, length: number, options: PackingOptions): Piece[] {
	const room = options.length - 1;
	if (length <= room) return [{ functionIndex, start: 0, end: length, windowIndex: 0, windowCount: 1 }];
	if (options.largeFunctions === 'ignore') return [];
	if (options.largeFunctions === 'truncate') {
		return [{ functionIndex, start: 0, end: room, windowIndex: 0, windowCount: 1 }];
	}
	const stride = Math.min(room, options.windowStride ?? Math.max(1, Math.floor(room / 2)));
	const windowCount = Math.ceil((length - room) / stride) + 1;
	return Array.from({ length: windowCount }, (_, windowIndex) => {
		const start = Math.min(windowIndex * stride, length - room);
		return { functionIndex, start, end: start + room, windowIndex, windowCount };
	});
}
