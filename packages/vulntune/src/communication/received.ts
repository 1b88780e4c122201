import { type Backend, type View, viewOf } from '@vulntune/engine';

/** Memory for what the others send, kept from one exchange to the next. */
export interface Received {
	/** [length], whose values are those of the exchange before. */
	of(length: number): View;
	free(): void;
}

export function createReceived(backend: Backend): Received {
	let view: View | undefined; // [length]
	const free = (): void => {
		if (view !== undefined) backend.free(view.buffer);
		view = undefined;
	};
	return {
		of(length) {
			if (view?.shape[0] === length) return view;
			free();
			view = viewOf(backend.allocate('f32', length), [length]);
			return view;
		},
		free,
	};
}
