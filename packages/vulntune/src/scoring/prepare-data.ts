import { checkTokenIds, inputError, type ModelConfig, type Tokenizer } from '@vulntune/engine';
import { loadAuditedDataset } from '../audit/training-dataset.ts';
import type { Config } from '../config/schema.ts';
import type { Dataset, SplitName } from '../data/dataset.ts';
import type { FunctionRow } from '../data/row.ts';
import { defaultTokenCacheFolder } from '../data/token-cache.ts';
import { tokenizeRows } from '../data/tokenize.ts';
import type { Base } from '../model/open-base.ts';
import type { ScoringOptions } from './score-split.ts';
import { scoringOf } from './scoring-options.ts';
import { type SplitData, splitData } from './split-data.ts';

/** A config's data, tokenised: all of a run that needs no kernel. */
export interface PreparedData {
	readonly dataset: Dataset;
	readonly splits: Readonly<Record<SplitName, SplitData>>;
	readonly tokenizer: Tokenizer;
	readonly scoring: ScoringOptions;
}

/**
 * Reads the dataset of a config and tokenises its rows.
 *
 * @param note told what to be wary of in the data
 */
export async function prepareData(
	config: Config,
	{ folder, tokenizer }: Pick<Base, 'tokenizer'> & { readonly folder: Pick<Base['folder'], 'config'> },
	note: (line: string) => void,
): Promise<PreparedData> {
	// what is wrong with the question or the length is said before the rows are read
	const scoring = scoringOf(config, tokenizer, folder.config);
	const dataset = await loadAuditedDataset(config.data, note);
	checkStatusWeights(config, dataset);
	const tokenized = (split: SplitName) =>
		tokenizedSplit(config, dataset.splits[split], tokenizer, folder.config);
	const splits = {
		train: await tokenized('train'),
		valid: await tokenized('valid'),
		test: await tokenized('test'),
	};
	return { dataset, splits, tokenizer, scoring };
}

/** Rows with their tokens (kept between runs) and loss weights. Throws TOKENIZER_MODEL for one that the model has no embedding of. */
export async function tokenizedSplit(
	config: Config,
	rows: readonly FunctionRow[],
	tokenizer: Tokenizer,
	model: Pick<ModelConfig, 'vocabularySize'>,
): Promise<SplitData> {
	const { collapseWhitespace } = config.data;
	const options = { collapseWhitespace, cacheFolder: defaultTokenCacheFolder() };
	const tokens = await tokenizeRows(rows, tokenizer, options);
	tokens.forEach((ids, index) => {
		checkTokenIds(ids, tokenizer, model, `function ${rows[index]!.id}`);
	});
	return splitData(rows, tokens, config.loss);
}

/** A weight for a status that no training row has would have no effect: a misspelling. */
function checkStatusWeights(config: Config, dataset: Dataset): void {
	const statuses = new Set(dataset.splits.train.map((row) => row.status));
	const unknown = Object.keys(config.loss.statusWeights ?? {}).filter((status) => !statuses.has(status));
	if (unknown.length === 0) return;
	const present = [...statuses].filter((status) => status !== undefined);
	throw inputError('STATUS_UNKNOWN', `no training row has the status ${unknown.join(', ')}`, {
		place: 'loss.statusWeights',
		remedy: present.length === 0 ? 'The rows have no status.' : `The rows have ${present.join(', ')}.`,
	});
}
