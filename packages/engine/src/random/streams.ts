import { inputError } from '../errors.ts';
import { normalQuantile } from './normal-quantile.ts';
import { philoxInto } from './philox.ts';

/**
 * Random numbers by address: (seed, stream, index) names one number, whoever asks for it and when. A stream is an
 * unsigned 32-bit number, usually `hashStream` of a name that says what the numbers are for.
 *
 * Word i of a stream is word i mod 4 of Philox4x32-10 with counter (b mod 2^32, stream, floor(b / 2^32), 0), b = floor(i / 4),
 * and key (seed mod 2^32, floor(seed / 2^32)).
 */

/** The two key words of a seed: its low and its high 32 bits. Throws `RANDOM_SEED` unless it is a whole number from 0 to 2^53 - 1. */
export function seedWords(seed: number): [low: number, high: number] {
	if (!Number.isSafeInteger(seed) || seed < 0) {
		throw inputError('RANDOM_SEED', `a seed is a whole number from 0 to 2^53 - 1, but this one is ${seed}`, {
			remedy: 'Set training.seed to a number such as 1.',
		});
	}
	return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** A 32-bit number for a stream's name (FNV-1a over its UTF-8 bytes): `hashStream('lora/model.layers.0.self_attn.q_proj')`. */
export function hashStream(name: string): number {
	let hash = 0x811c9dc5;
	for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
	return hash >>> 0;
}

/** A reader of a stream's words that computes each block of four only once while the indices go up. */
function wordReader(seed: number, stream: number): (index: number) => number {
	const [low, high] = seedWords(seed);
	const block = new Uint32Array(4);
	let current = -1;
	return (index) => {
		const counter = Math.floor(index / 4);
		if (counter !== current) {
			philoxInto(block, counter % 2 ** 32, stream, Math.floor(counter / 2 ** 32), 0, low, high);
			current = counter;
		}
		return block[index % 4]!;
	};
}

/** Number `index` of a stream in (0, 1), neither end included, from words 2 index and 2 index + 1: (k + 0.5) / 2^52. */
function uniformFrom(word: (index: number) => number, index: number): number {
	const high = word(2 * index) >>> 6; // 26 bits
	const low = word(2 * index + 1) >>> 6; // 26 bits
	return (high * 2 ** 26 + low + 0.5) * 2 ** -52;
}

/** Number `index` of a stream, uniform in the open interval (0, 1) with 52 random bits. */
export function uniform(seed: number, stream: number, index: number): number {
	return uniformFrom(wordReader(seed, stream), index);
}

/** `length` numbers uniform between `low` and `high`, rounded to float32 (which can reach either end). */
export function uniformArray(seed: number, stream: number, length: number, low = 0, high = 1): Float32Array {
	const word = wordReader(seed, stream);
	const values = new Float32Array(length);
	for (let index = 0; index < length; index++) values[index] = low + (high - low) * uniformFrom(word, index);
	return values;
}

/**
 * `length` normal numbers with mean 0 and standard deviation `std`: element i is std x Q(`uniform(seed, stream, i)`).
 * The inverse quantile instead of Box-Muller: one number for one index, and no `Math.log` or `Math.cos`, whose
 * last bits differ between engines.
 */
export function normalArray(seed: number, stream: number, length: number, std = 1): Float32Array {
	const word = wordReader(seed, stream);
	const values = new Float32Array(length);
	for (let index = 0; index < length; index++) values[index] = std * normalQuantile(uniformFrom(word, index));
	return values;
}

/**
 * A uniformly random order of 0 … n - 1, n <= 2^32 (Fisher-Yates; a word beyond the last whole multiple of the bound is drawn
 * again, so every order is equally likely).
 */
export function permutation(seed: number, stream: number, n: number): Uint32Array {
	const word = wordReader(seed, stream);
	const order = Uint32Array.from({ length: n }, (_, index) => index);
	let drawn = 0;
	for (let last = n - 1; last > 0; last--) {
		const bound = last + 1;
		const limit = 2 ** 32 - (2 ** 32 % bound);
		let value = word(drawn++);
		while (value >= limit) value = word(drawn++);
		const other = value % bound;
		const kept = order[last]!;
		order[last] = order[other]!;
		order[other] = kept;
	}
	return order;
}

/**
 * Whether dropout with probability `p` keeps element `index` (below 2^35): half a word of the stream, 16 bits, is at least
 * round(p x 2^16). Word floor(index / 2) decides on two elements, with its lower half on the first. The rule that every
 * backend follows, so that masks are never stored and all backends agree.
 */
export function dropoutKeeps(seed: number, stream: number, index: number, p: number): boolean {
	const word = wordReader(seed, stream)(Math.floor(index / 2));
	return (index % 2 === 0 ? word & 0xffff : word >>> 16) >= Math.round(p * 2 ** 16);
}
