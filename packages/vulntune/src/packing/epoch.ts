import { hashStream, permutation } from '@vulntune/engine/random/streams.ts';
import type { PackingOptions } from './options.ts';
import { type PackedFunctions, type PackPlan, packFunctions } from './pack-functions.ts';

/**
 * The packs of one training epoch in the order in which they are trained on; a function of (seed, epoch) alone, so a resumed
 * run needs no state. `arrival` shuffles the functions and packs them as they come; otherwise the packs are the same in
 * every epoch and only their order is shuffled.
 */
export function packEpoch(
	lengths: ArrayLike<number>,
	options: PackingOptions,
	seed: number,
	epoch: number,
	tokens?: PackedFunctions['tokens'],
	together?: PackedFunctions['together'],
): PackPlan {
	const given = { together, ...(tokens === undefined ? {} : { tokens }) };
	if (options.packing !== 'none' && options.order === 'arrival') {
		const order = permutation(seed, hashStream(`packing/arrival/${epoch}`), lengths.length);
		return packFunctions(lengths, options, { order, ...given });
	}
	const plan = packFunctions(lengths, options, given);
	const order = permutation(seed, hashStream(`packing/packs/${epoch}`), plan.packs.length);
	return { ...plan, packs: Array.from(order, (index) => plan.packs[index]!) };
}
