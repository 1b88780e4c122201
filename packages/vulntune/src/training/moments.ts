import {
	type AdamWOptions,
	type Backend,
	dynamicCodebook,
	MOMENTS_PER_BLOCK,
	type QuantizedMoment,
	unsignedDynamicCodebook,
	type View,
	viewOf,
} from '@vulntune/engine';

/** How an optimiser keeps its moments. */
export type OptimizerName = 'adamw' | 'adamw8bit';

/** Elements [start, start + length) of a run's flat vectors. */
export interface Stretch {
	readonly start: number;
	readonly length: number;
}

/** What AdamW remembers of the gradients. */
export interface Moments {
	/** By the names that they have in a checkpoint. */
	readonly vectors: ReadonlyMap<string, View>;
	/** A step of one of the stretches, whose parameters and gradients these are. */
	take(stretch: Stretch, parameters: View, gradients: View, options: AdamWOptions): void;
	free(): void;
}

/** Two moments of nothing yet for stretches that follow each other, in float32 or in 8 bits. */
export function createMoments(backend: Backend, name: OptimizerName, stretches: readonly Stretch[]): Moments {
	return name === 'adamw8bit' ? quantizedMoments(backend, stretches) : floatMoments(backend, stretches);
}

function floatMoments(backend: Backend, stretches: readonly Stretch[]): Moments {
	const count = stretches.reduce((sum, { length }) => sum + length, 0);
	const [first, second] = [zeros(backend, count), zeros(backend, count)];
	return {
		vectors: new Map([
			['first-moment.f32', first],
			['second-moment.f32', second],
		]),
		take(stretch, parameters, gradients, options) {
			backend.adamW(parameters, gradients, partOf(first, stretch), partOf(second, stretch), options);
		},
		free() {
			for (const { buffer } of [first, second]) backend.free(buffer);
		},
	};
}

/** A quarter of the memory, and a scale for each block of a stretch. */
function quantizedMoments(backend: Backend, stretches: readonly Stretch[]): Moments {
	const blocksOf = ({ length }: Stretch) => Math.ceil(length / MOMENTS_PER_BLOCK);
	const count = stretches.reduce((sum, { length }) => sum + length, 0);
	const blocks = stretches.reduce((sum, stretch) => sum + blocksOf(stretch), 0);
	/** The first block of each stretch, by where that begins. */
	const firstBlock = new Map<number, number>();
	let block = 0;
	for (const stretch of stretches) {
		firstBlock.set(stretch.start, block);
		block += blocksOf(stretch);
	}
	const moment = (codebook: Float32Array): QuantizedMoment => ({
		codes: zeroCodes(backend, count),
		absmax: zeros(backend, blocks),
		codebook: uploaded(backend, codebook),
	});
	const [first, second] = [moment(dynamicCodebook()), moment(unsignedDynamicCodebook())];
	const of = ({ codes, absmax, codebook }: QuantizedMoment, stretch: Stretch): QuantizedMoment => ({
		codes: partOf(codes, stretch),
		absmax: partOf(absmax, { start: firstBlock.get(stretch.start)!, length: blocksOf(stretch) }),
		codebook,
	});
	return {
		vectors: new Map([
			['first-moment.u8', first.codes],
			['first-moment-absmax.f32', first.absmax],
			['second-moment.u8', second.codes],
			['second-moment-absmax.f32', second.absmax],
		]),
		take(stretch, parameters, gradients, options) {
			backend.adamW8bit(parameters, gradients, of(first, stretch), of(second, stretch), options);
		},
		free() {
			for (const { codes, absmax, codebook } of [first, second]) {
				for (const { buffer } of [codes, absmax, codebook]) backend.free(buffer);
			}
		},
	};
}

function partOf({ buffer, offset }: View, { start, length }: Stretch): View {
	return viewOf(buffer, [length], offset + start);
}

function zeros(backend: Backend, count: number): View {
	const view = viewOf(backend.allocate('f32', count), [count]);
	backend.fill(view, 0);
	return view;
}

/** Bytes of codes that are written at once. */
const CODES_AT_ONCE = 2 ** 24;

/** Codes whose scale is 0 stand for 0, whatever they are; they are written because a checkpoint keeps them. */
function zeroCodes(backend: Backend, count: number): View {
	const view = viewOf(backend.allocate('u8', count), [count]);
	const none = new Uint8Array(Math.min(count, CODES_AT_ONCE));
	for (let start = 0; start < count; start += none.length) {
		const length = Math.min(none.length, count - start);
		backend.upload(partOf(view, { start, length }), none.subarray(0, length));
	}
	return view;
}

function uploaded(backend: Backend, values: Float32Array): View {
	const view = viewOf(backend.allocate('f32', values.length), [values.length]);
	backend.upload(view, values);
	return view;
}
