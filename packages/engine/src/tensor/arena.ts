import type { Backend, DataType, DeviceBuffer, HostCopy, View } from '../backends/contract.ts';
import { elements, viewOf } from '../backends/view.ts';

/**
 * Owns the buffers of one pass. JavaScript's garbage collector can't see a device's memory, so every buffer
 * has a count: one for whoever made it, one for each tape node that saved it, one for each gradient that lies
 * in it. It is freed when the count reaches zero, and at the latest when the arena is closed.
 */
export class Arena {
	readonly #backend: Backend;
	readonly #counts = new Map<DeviceBuffer, number>();
	readonly #hostCopies = new Set<HostCopy>();

	constructor(backend: Backend) {
		this.#backend = backend;
	}

	allocate(dtype: DataType, shape: readonly number[]): View {
		const buffer = this.#backend.allocate(dtype, elements(shape));
		this.#counts.set(buffer, 1);
		return viewOf(buffer, shape);
	}

	/** Keeps a view in the host's memory until it is restored; undefined where the backend's memory is the host's own. */
	keepOnHost(view: View): HostCopy | undefined {
		const copy = this.#backend.keepOnHost?.(view);
		if (copy !== undefined) this.#hostCopies.add(copy);
		return copy;
	}

	/** Brings back in this arena what `from` has kept. */
	restore(from: Arena, copy: HostCopy, shape: readonly number[]): View {
		from.#hostCopies.delete(copy);
		const buffer = copy.restore();
		this.#counts.set(buffer, 1);
		return viewOf(buffer, shape);
	}

	/** How many hold the view's buffer; 0 for memory that isn't this arena's. */
	holders(view: View): number {
		return this.#counts.get(view.buffer) ?? 0;
	}

	/** One more holder. Memory of others (weights, parameters) is left alone. */
	retain(view: View): void {
		const count = this.#counts.get(view.buffer);
		if (count !== undefined) this.#counts.set(view.buffer, count + 1);
	}

	/** One holder less; the last one frees the memory. */
	release(view: View): void {
		const count = this.#counts.get(view.buffer);
		if (count === undefined) return;
		if (count > 1) {
			this.#counts.set(view.buffer, count - 1);
			return;
		}
		this.#counts.delete(view.buffer);
		this.#backend.free(view.buffer);
	}

	/** Makes the caller a holder in another arena: of a buffer that is handed over to it, or of one that it has already. */
	moveTo(other: Arena, view: View): void {
		if (this.#counts.delete(view.buffer)) other.#counts.set(view.buffer, 1);
		else other.retain(view);
	}

	get liveBuffers(): number {
		return this.#counts.size;
	}

	/** Frees everything that is left. */
	close(): void {
		for (const buffer of this.#counts.keys()) this.#backend.free(buffer);
		this.#counts.clear();
		for (const copy of this.#hostCopies) copy.free();
		this.#hostCopies.clear();
	}
}
