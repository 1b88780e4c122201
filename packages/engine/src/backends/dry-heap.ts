/** As in native/memory.cc: what is kept beyond the bound, so that small models need not count every byte. */
const alwaysKept = 2 ** 24;

/** Eight classes between one power of two and the next, as in native/memory.cc. */
function sizeClass(bytes: number): number {
	if (bytes <= 512) return 512;
	const step = 2 ** (Math.ceil(Math.log2(bytes)) - 4);
	return Math.ceil(bytes / step) * step;
}

/** Sizes of the blocks that the heap of the native kernels would hold. */
export interface DryHeap {
	/** The size of the block that is given for so many bytes. */
	take(bytes: number): number;
	give(block: number): void;
	readonly heldBytes: number;
	readonly peakHeldBytes: number;
}

/**
 * The heap of native/memory.cc without its memory: which blocks are kept for what is asked for next, and when room is made. What a run
 * holds on the CPU is up to half as much again as it uses.
 */
export function createDryHeap(): DryHeap {
	/** Blocks that are kept, those that have lain longest first. */
	const kept: number[] = [];
	let liveBytes = 0;
	let keptBytes = 0;
	let peakLiveBytes = 0;
	let peakHeldBytes = 0;

	function makeRoom(bytes: number): void {
		const inUse = liveBytes + bytes;
		const peak = Math.max(peakLiveBytes, inUse);
		const limit = peak + peak / 2 + alwaysKept - inUse;
		while (keptBytes > limit) keptBytes -= kept.shift()!;
	}

	return {
		take(bytes) {
			const wanted = sizeClass(bytes);
			const fitting = kept.filter((block) => block >= wanted && block <= wanted * 1.5);
			let block = fitting.length === 0 ? undefined : Math.min(...fitting);
			if (block === undefined) {
				makeRoom(wanted);
				block = wanted;
			} else {
				kept.splice(kept.lastIndexOf(block), 1);
				keptBytes -= block;
			}
			liveBytes += block;
			peakLiveBytes = Math.max(peakLiveBytes, liveBytes);
			peakHeldBytes = Math.max(peakHeldBytes, liveBytes + keptBytes);
			return block;
		},
		give(block) {
			kept.push(block);
			keptBytes += block;
			liveBytes -= block;
		},
		get heldBytes() {
			return liveBytes + keptBytes;
		},
		get peakHeldBytes() {
			return peakHeldBytes;
		},
	};
}
