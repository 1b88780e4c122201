import {
	type TrainedTokenizer,
	trainTokenizer,
} from '@vulntune/engine/formats/tokenizer-training/train-tokenizer.ts';
import { collapseWhitespace } from '../data/whitespace.ts';
import { demoVocabularySize } from './base-config.ts';
import { type CorpusOptions, generateCorpus } from './corpus.ts';

/**
 * The tokenizer of the demo base, trained on the corpus that the base is pretrained on. White space is collapsed,
 * as it is in the demo's training and evaluation.
 */
export function trainDemoTokenizer(corpus: CorpusOptions): TrainedTokenizer {
	return trainTokenizer(collapsed(generateCorpus(corpus)), { vocabularySize: demoVocabularySize });
}

function* collapsed(texts: Iterable<string>): Generator<string> {
	for (const text of texts) yield collapseWhitespace(text);
}
