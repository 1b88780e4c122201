import { canonicalJson, floatPrecision, hashAllWeights } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import type { Detector } from '../methods/detector.ts';
import type { Pool } from '../methods/head.ts';
import type { Base } from '../model/open-base.ts';
import type { PackTokens } from './split-data.ts';
import { defaultStateCacheFolder, openStateCache } from './state-cache.ts';

/**
 * Lets a detector read from the disk what the frozen part of its base has computed before: the states that the head reads, where the head
 * alone is trained, else those that enter the lowest block with an adapter. Every further epoch, fold and detector on the same base then
 * costs only what lies above. Results are the same to the byte, since states are kept under all that their bytes depend on: the base and
 * how it is held, the precision, the backend with its instruction set, where they are read, and the tokens around a function. What shares
 * a sequence with a function changes nothing, save in leaky packs: a detector that is trained in these comes back as it is, and so does
 * one that trains the first block.
 */
export function withKeptStates(
	detector: Detector,
	config: Config,
	base: Pick<Base, 'fingerprint' | 'folder'>,
	{ leading, separator, suffix, branches }: PackTokens,
	folder: string = defaultStateCacheFolder(),
): Detector {
	const read = readFrom(detector, config);
	if (read === undefined) return detector;
	const { name, hardware, description } = detector.backend;
	const { precision } = config.training;
	const key = canonicalJson({
		version: 3,
		// all of them: a fingerprint samples large tensors, and one row of embeddings may have been edited
		...{ weights: hashAllWeights(base.folder), config: base.fingerprint.config },
		...{ base: config.method.base, doubleQuantization: config.method.doubleQuantization, precision },
		backend: [name, hardware.isa ?? description],
		activations: detector.backend.activationType(floatPrecision(precision)),
		bidirectionalLayers: config.method.bidirectionalLayers,
		...{ read, leading, separator, suffix, branches: branches ?? [] },
	});
	const states = openStateCache(folder, key);
	return {
		...detector,
		...('block' in read ? { lowerStates: { block: read.block, states } } : { keptStates: states }),
		free() {
			states.flush();
			detector.free();
		},
	};
}

/** What is read of the frozen base: pooled states, or those that enter a block; undefined where nothing can be kept. */
function readFrom(
	{ model, head }: Detector,
	{ method, sequence }: Config,
): { readonly pool: Pool } | { readonly block: number } | undefined {
	if (sequence.packing === 'leaky') return undefined;
	if (method.type === 'head' && head !== undefined) return { pool: head.pool };
	const hasAdapters = method.type === 'lora' || method.type === 'qlora';
	return hasAdapters && model.frozenBlocks > 0 ? { block: model.frozenBlocks } : undefined;
}

/** Where time goes less, and disk goes more. */
export function describeLowerStates(block: number): string {
	const below = block === 1 ? 'the block' : `the ${block} blocks`;
	return `${below} below the lowest adapter run once on each function: their states are kept in ~/.cache/vulntune/states`;
}
