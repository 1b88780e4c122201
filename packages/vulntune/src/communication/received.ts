import { type Backend, elements, type View, viewOf } from '@vulntune/engine';
import type { Communicator } from './communicator.ts';

/** Memory for what the others send of a vector, kept from one exchange to the next. */
export interface Received {
	/**
	 * [length], whose values are those of the exchange before. Where it is made, all processes speak: one that has no room for it fails before the
	 * others wait for what it sends, where no word of it would reach them.
	 *
	 * @param vector of one length in all processes
	 * @param length what this process receives of it
	 */
	of(vector: View, length: number): Promise<View>;
	free(): void;
}

export function createReceived(backend: Backend, communicator: Pick<Communicator, 'gather'>): Received {
	let view: View | undefined; // [length]
	let whole = 0;
	const free = (): void => {
		if (view !== undefined) backend.free(view.buffer);
		view = undefined;
	};
	return {
		async of(vector, length) {
			const { shape } = vector;
			if (view !== undefined && whole === elements(shape)) return view;
			free();
			const made = viewOf(backend.allocate('f32', length), [length]);
			view = made;
			whole = elements(shape);
			await communicator.gather('there is room');
			return made;
		},
		free,
	};
}
