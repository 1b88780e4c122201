import type { ModelConfig, ModelFolder } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { joinPacks } from '../packing/join-packs.ts';
import { type PackingOptions, type Piece, packSize } from '../packing/options.ts';
import { buildPack, type Pack } from '../packing/pack.ts';
import { packFunctions } from '../packing/pack-functions.ts';
import { detectorOptions } from '../scoring/configured-detector.ts';
import type { PassOptions } from '../scoring/micro-batch.ts';
import { FASTEST_PACK, type ScoringOptions, scoringPacking } from '../scoring/score-split.ts';
import type { PackTokens, SplitData } from '../scoring/split-data.ts';
import type { RehearsedRun } from './rehearse.ts';

/** A run of a config, as far as its memory goes. Where the weights are at hand, what they are stored in counts. */
export function rehearsedRun(
	config: Config,
	folder: { readonly config: ModelConfig } & Partial<Pick<ModelFolder, 'weights'>>,
	pass: PassOptions,
	packs: RehearsedRun['packs'],
): RehearsedRun {
	const { weights } = folder;
	const stored =
		weights === undefined ? {} : { dtypeOf: (name: string) => weights.info(name)?.dtype ?? 'BF16' };
	const { optimizer } = config.training;
	return { model: folder.config, detector: detectorOptions(config), pass, optimizer, packs, ...stored };
}

type Functions = Pick<SplitData, 'lengths' | 'tokens' | 'pairs'>;

/** The fullest packs of training, so many at once, and of scoring. */
export function fullestPacks(
	{ train, valid }: { readonly train: Functions; readonly valid: Functions },
	{ packing, tokens }: Pick<ScoringOptions, 'packing' | 'tokens'>,
	sequencesPerPass: number,
): RehearsedRun['packs'] {
	const [trained, ...lesserTrained] = packsOfSizes(train, packing, tokens, sequencesPerPass);
	const [scored, ...lesserScored] = scoredPacks(valid, packing, tokens);
	return {
		trained: trained!,
		scored: scored!,
		lesser: { trained: lesserTrained, scored: lesserScored },
	};
}

/** Where in the order of sizes the packs lie that stand for all, the fullest first. */
const QUANTILES = [0, 0.25, 0.5, 0.75, 1] as const;

/** Packs of functions under some packing, `perPass` of them as one: the fullest, and some of what is smaller. */
export function packsOfSizes(
	data: Functions,
	options: PackingOptions,
	tokens: PackTokens,
	perPass: number,
): Pack[] {
	const { packs } = packFunctions(data.lengths, options, { tokens: data.tokens, together: data.pairs?.rows });
	if (packs.length === 0) return [fullPack(perPass * (options.packLength ?? options.length), USUAL_FUNCTION)];
	const bySize = packs.toSorted((a, b) => packSize(b) - packSize(a));
	const firsts = new Set(QUANTILES.map((share) => Math.round(share * Math.max(0, bySize.length - perPass))));
	return [...firsts].map((first) =>
		joinPacks(
			bySize
				.slice(first, first + perPass)
				.map((pieces) => buildPack(pieces, data.tokens, tokens.separator, options.packing, tokens)),
		),
	);
}

/** The same of packs in which functions are scored. */
export function scoredPacks(
	{ lengths, tokens: ids }: Functions,
	packing: PackingOptions,
	tokens: PackTokens,
): Pack[] {
	return packsOfSizes({ lengths, tokens: ids }, scoringPacking(packing, tokens), tokens, 1);
}

/** Packs of functions that nobody has seen: full ones. */
export function fullPacks(length: number, sequencesPerPass = 1): RehearsedRun['packs'] {
	const most = Math.min(USUAL_FUNCTION, length);
	const trained = sequencesPerPass * length;
	const scored = Math.max(length, FASTEST_PACK);
	const lesser = (tokens: number) => FILLS.map((fill) => fullPack(Math.ceil(fill * tokens), most));
	return {
		trained: fullPack(trained, most),
		scored: fullPack(scored, most),
		lesser: { trained: lesser(trained), scored: lesser(scored) },
	};
}

/** How full the packs are that stand for those that aren't: the last of an epoch mostly. */
const FILLS = [0.9, 0.6, 0.3] as const;

/** Tokens of a function where there is none to look at: the median of the paper's dataset. */
const USUAL_FUNCTION = 256;

/** A sequence of functions of so many tokens, the last with what is left. */
function fullPack(length: number, functionLength: number): Pack {
	const pieces = Array.from({ length: Math.ceil(length / functionLength) }, (_, index): Piece => {
		const size = Math.min(functionLength, length - index * functionLength);
		return { functionIndex: 0, start: 0, end: size - 1, windowIndex: 0, windowCount: 1, suffixLength: 0 };
	});
	return buildPack(pieces, [new Int32Array(functionLength)], 0, 'isolated');
}
