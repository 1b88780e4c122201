import { createReferenceBackend } from '@vulntune/engine';
import { loadSavedDetector } from '../../scoring/configured-detector.ts';
import { scoringOf } from '../../scoring/scoring-options.ts';
import { comparedTexts, logitsOf } from '../compare-logits.ts';
import { openExported } from '../open-exported.ts';

/** Functions in the tokens that another runtime is given, with a detector's logits of them. */
export interface Reference {
	readonly texts: readonly string[];
	/** Of the texts alone. */
	readonly tokens: readonly (readonly number[])[];
	/** With what stands around them, cut to what the detector reads. */
	readonly ids: readonly (readonly number[])[];
	readonly pad: number;
	readonly objective: 'class' | 'nextToken';
	readonly logits: readonly (readonly number[])[];
}

/** What a run's detector says of functions, by default those that are built in, computed by the reference backend. */
export async function referenceOf(run: string, functions?: readonly string[]): Promise<Reference> {
	const overrides = { 'backend.type': 'reference' };
	const { adapter, base, config } = openExported({ run, overrides, allowOtherBase: false }, () => {});
	const backend = createReferenceBackend();
	const detector = loadSavedDetector(config, backend, base.folder, adapter);
	try {
		const scoring = scoringOf(config, base.tokenizer, base.folder.config);
		const texts = functions ?? (await comparedTexts({ config, run: undefined }, 4)).texts;
		const tokens = texts.map((text) => base.tokenizer.encode(text));
		const { leading, separator, suffix } = scoring.tokens;
		const { leadingLength = 0, suffixLength = 0, length } = scoring.packing;
		const close = base.folder.config.causal ? [] : [separator];
		const room = length - leadingLength - suffixLength - 1;
		return {
			texts,
			tokens: tokens.map((ids) => [...ids]),
			ids: tokens.map((ids) => [...leading, ...ids.subarray(0, room), ...suffix, ...close]),
			pad: base.tokenizer.padTokenId ?? separator,
			objective: config.objective,
			logits: logitsOf(detector, { tokens }, scoring).map((values) => [...values]),
		};
	} finally {
		detector.free();
		backend.close();
		base.close();
	}
}
