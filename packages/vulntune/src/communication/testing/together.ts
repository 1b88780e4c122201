import { type Backend, elements, viewOf } from '@vulntune/engine';
import type { VectorCommunicator } from '../communicator.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { stretchStart } from '../stretches.ts';

/**
 * Communicators of processes that are parts of this one, each with a backend of its own: what they exchange is there when the last of
 * them has asked for it.
 */
export function together(size: number): readonly ((backend: Backend) => VectorCommunicator)[] {
	let waiting: { value: unknown; done: (all: unknown[]) => void }[] = [];
	const exchange = <Value>(rank: number, value: Value) =>
		new Promise<Value[]>((done) => {
			waiting[rank] = { value, done: done as (all: unknown[]) => void };
			if (waiting.filter((one) => one !== undefined).length < size) return;
			const all = waiting;
			waiting = [];
			for (const one of all) one.done(all.map(({ value }) => value));
		});
	return Array.from({ length: size }, (_, rank) => (backend) => {
		const bounds = (length: number, of = rank) =>
			[stretchStart(length, of, size), stretchStart(length, of + 1, size)] as const;
		return {
			rank,
			size,
			description: 'one process',
			gather: async (message) =>
				(await exchange(rank, encodeMessage({ message }))).map(
					(bytes) => (decodeMessage(bytes) as { message: typeof message }).message,
				),
			stretch(vector) {
				const [start, end] = bounds(elements(vector.shape));
				return viewOf(vector.buffer, [end - start], vector.offset + start);
			},
			async collect(vector) {
				const [start, end] = bounds(elements(vector.shape));
				const all = await exchange(rank, Float32Array.from(backend.download(vector)));
				return all.map((values) => {
					const view = viewOf(backend.allocate('f32', end - start), [end - start]);
					backend.upload(view, values.slice(start, end));
					return view;
				});
			},
			async spread(vector) {
				const all = await exchange(rank, Float32Array.from(backend.download(vector)));
				const whole = Float32Array.from(all[0]!);
				for (const [of, values] of all.entries()) {
					const [start, end] = bounds(whole.length, of);
					whole.set(values.slice(start, end), start);
				}
				backend.upload(vector, whole);
			},
			async broadcast(vector) {
				const [first] = await exchange(rank, backend.download(vector).slice());
				backend.upload(vector, first!);
			},
			close: () => {},
		};
	});
}
