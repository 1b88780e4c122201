import { canonicalJson } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import type { Detector } from '../methods/detector.ts';
import { pooledSize } from '../methods/head.ts';
import type { Base } from '../model/open-base.ts';
import type { PackTokens } from './split-data.ts';
import { defaultStateCacheFolder, openStateCache } from './state-cache.ts';

/**
 * A detector whose states are kept on disk where only its head is trained: the base is run once on each function, and every further epoch,
 * fold and head costs seconds. Results are the same to the byte, since states are known by all that their bytes depend on: the base and how it
 * is held, the precision, the backend with its instruction set, the pooling, and the tokens before and after a function. Any other detector
 * comes back as it is; so does one that is trained in leaky packs, in which a state depends on the neighbours.
 */
export function withKeptStates(
	detector: Detector,
	config: Config,
	base: Pick<Base, 'folder' | 'fingerprint'>,
	{ leading, separator, suffix }: PackTokens,
	folder: string = defaultStateCacheFolder(),
): Detector {
	const { head } = detector;
	const isFrozen = config.method.type === 'head' && config.sequence.packing !== 'leaky';
	if (!isFrozen || head === undefined) return detector;
	const { name, hardware, description } = detector.backend;
	const key = canonicalJson({
		version: 1,
		...{ weights: base.fingerprint.weights, config: base.fingerprint.config },
		...{ base: config.method.base, precision: config.training.precision },
		backend: [name, hardware.isa ?? description],
		...{ pool: head.pool, leading, separator, suffix },
	});
	const size = pooledSize(head.pool, base.folder.config.hiddenSize);
	const keptStates = openStateCache(folder, key, size);
	return {
		...detector,
		keptStates,
		free() {
			keptStates.flush();
			detector.free();
		},
	};
}
