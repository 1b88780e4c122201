/**
 * Memories of engines. V8 doesn't count what lies in them and would keep those of closed engines for long, so they are
 * used again.
 */

// What the module was linked for: build-wasm.mjs.
const MAXIMUM_PAGES = 65_535;
const LEAST_PAGES = 4096;

interface ClosedMemory {
	readonly memory: WebAssembly.Memory;
	/** Whether the workers of its engine are gone: one that starts late must find the engine it was made for. */
	readonly isQuiet: () => boolean;
}

const closed: ClosedMemory[] = [];

/** Memory for one engine. Throws an error of code RESOURCES where the system gives none. */
export function takeMemory(): WebAssembly.Memory {
	const index = closed.findIndex(({ isQuiet }) => isQuiet());
	return index < 0 ? createMemory() : closed.splice(index, 1)[0]!.memory;
}

export function giveMemoryBack(memory: WebAssembly.Memory, isQuiet: () => boolean): void {
	closed.push({ memory, isQuiet });
}

/**
 * As much as 32-bit addresses reach, or else as the system gives, but 256 MiB at least: pages that nothing was written
 * to cost nothing. It never grows, because a thread that starts meanwhile might not notice.
 */
function createMemory(pages = MAXIMUM_PAGES): WebAssembly.Memory {
	try {
		return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
	} catch (cause) {
		if (pages > LEAST_PAGES) return createMemory(Math.max(LEAST_PAGES, pages >> 1));
		throw Object.assign(new Error('the system gives no address space', { cause }), { code: 'RESOURCES' });
	}
}
