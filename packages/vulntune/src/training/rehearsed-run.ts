import type { ModelConfig, ModelFolder } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { joinPacks } from '../packing/join-packs.ts';
import { type PackingOptions, type Piece, packSize } from '../packing/options.ts';
import { buildPack, type Pack } from '../packing/pack.ts';
import { type PackedFunctions, packFunctions } from '../packing/pack-functions.ts';
import { detectorOptions } from '../scoring/configured-detector.ts';
import type { PassOptions } from '../scoring/micro-batch.ts';
import { FASTEST_PACK, type ScoringOptions, scoringPacking } from '../scoring/score-split.ts';
import type { SplitData } from '../scoring/split-data.ts';
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
	const detector = detectorOptions(config);
	const isStacked = detector.head?.stacked === true;
	const read = (pack: Pack) =>
		isStacked ? { ...pack, stackedScores: new Float32Array(pack.functionIndex.length) } : pack;
	const asRead = { trained: read(packs.trained), scored: read(packs.scored) };
	return { model: folder.config, detector, pass, packs: asRead, ...stored };
}

type Functions = Pick<SplitData, 'lengths' | 'tokens' | 'pairs'>;

/** The fullest packs of training, so many at once, and of scoring. */
export function fullestPacks(
	{ train, valid }: { readonly train: Functions; readonly valid: Functions },
	{ packing, tokens }: Pick<ScoringOptions, 'packing' | 'tokens'>,
	sequencesPerPass: number,
): RehearsedRun['packs'] {
	const fullest = (
		data: Functions,
		options: PackingOptions,
		perPass: number,
		together?: PackedFunctions['together'],
	): Pack => {
		const { packs } = packFunctions(data.lengths, options, { tokens: data.tokens, together });
		const most = packs.toSorted((a, b) => packSize(b) - packSize(a)).slice(0, perPass);
		if (most.length === 0) return fullPacks(options.packLength ?? options.length, perPass).trained;
		return joinPacks(
			most.map((pieces) => buildPack(pieces, data.tokens, tokens.separator, options.packing, tokens)),
		);
	};
	return {
		trained: fullest(train, packing, sequencesPerPass, train.pairs?.rows),
		scored: fullest(valid, scoringPacking(packing, tokens), 1),
	};
}

/** Packs of functions that nobody has seen: full ones. */
export function fullPacks(length: number, sequencesPerPass = 1): RehearsedRun['packs'] {
	const most = Math.min(USUAL_FUNCTION, length);
	return {
		trained: fullPack(sequencesPerPass * length, most),
		scored: fullPack(Math.max(length, FASTEST_PACK), most),
	};
}

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
