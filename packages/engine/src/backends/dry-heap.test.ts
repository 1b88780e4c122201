import { expect, it } from 'vitest';
import { createDryHeap } from './dry-heap.ts';

const MiB = 2 ** 20;

it('keeps what was given back for what is asked for next, up to half as large', () => {
	const heap = createDryHeap();
	const block = heap.take(60 * MiB);
	expect(block).toBe(60 * MiB);
	heap.give(block);
	expect(heap.take(40 * MiB)).toBe(60 * MiB);
	expect(heap.take(40 * MiB - 1)).toBe(40 * MiB);
	expect([heap.heldBytes, heap.peakHeldBytes]).toEqual([100 * MiB, 100 * MiB]);
});

it('gives back what has lain longest where more than half as much again as was in use would be held', () => {
	const heap = createDryHeap();
	heap.give(heap.take(64 * MiB));
	heap.take(32 * MiB);
	expect(heap.heldBytes).toBe(96 * MiB);
	heap.take(40 * MiB);
	expect([heap.heldBytes, heap.peakHeldBytes]).toEqual([72 * MiB, 96 * MiB]);
});
