/** A pair of token ids with its count at the time it was queued. */
export interface QueuedPair {
	readonly count: number;
	readonly left: number;
	readonly right: number;
}

/** Frequent pairs first; equal counts by the ids, so that the order never depends on how the text was read. */
function comesBefore(a: QueuedPair, b: QueuedPair): boolean {
	if (a.count !== b.count) return a.count > b.count;
	return a.left !== b.left ? a.left < b.left : a.right < b.right;
}

export interface PairQueue {
	push(pair: QueuedPair): void;
	/** Takes the first pair out; undefined if there is none. */
	pop(): QueuedPair | undefined;
}

/** A binary heap. Counts that changed since are the caller's business: it queues the pair again. */
export function createPairQueue(): PairQueue {
	const heap: QueuedPair[] = [];

	function push(pair: QueuedPair): void {
		let place = heap.length;
		heap.push(pair);
		while (place > 0) {
			const parent = (place - 1) >> 1;
			if (!comesBefore(pair, heap[parent]!)) break;
			heap[place] = heap[parent]!;
			place = parent;
		}
		heap[place] = pair;
	}

	function pop(): QueuedPair | undefined {
		const first = heap[0];
		const last = heap.pop();
		if (first === undefined || last === undefined || heap.length === 0) return first;
		let place = 0;
		for (;;) {
			let child = 2 * place + 1;
			if (child >= heap.length) break;
			if (child + 1 < heap.length && comesBefore(heap[child + 1]!, heap[child]!)) child++;
			if (!comesBefore(heap[child]!, last)) break;
			heap[place] = heap[child]!;
			place = child;
		}
		heap[place] = last;
		return first;
	}

	return { push, pop };
}
