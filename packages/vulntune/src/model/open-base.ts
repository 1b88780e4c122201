import {
	checkOutputMatrix,
	checkTokenIds,
	fingerprintDifferences,
	fingerprintModel,
	inputError,
	loadTokenizer,
	type ModelConfig,
	type ModelFingerprint,
	type ModelFolder,
	openModelFolder,
	type Tokenizer,
} from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { defaultTokenCacheFolder } from '../data/token-cache.ts';
import { checkBaseModel } from './base-model.ts';

/** A base model that passed all checks; its weights are not read yet. */
export interface Base {
	readonly folder: ModelFolder;
	readonly tokenizer: Tokenizer;
	readonly fingerprint: ModelFingerprint;
	close(): void;
}

/** What a config wants of its base. */
export type BaseUser = Pick<Config, 'model' | 'objective'> & {
	readonly sequence: { readonly length: number };
};

/**
 * Opens a config's base model, for whatever it is opened: its config, weights and end token fit each other, it reads sequences of
 * the config's length, and has an output matrix where the objective needs one.
 *
 * Throws what `openModelFolder` and `loadTokenizer` throw, TOKENIZER_MODEL, SEQUENCE_TOO_LONG, MODEL_HEAD_MISSING.
 */
export function openBase({ model, objective, sequence }: BaseUser): Base {
	checkBaseModel(model);
	const folder = openModelFolder(model);
	try {
		const tokenizer = loadTokenizer(model, { cacheFolder: defaultTokenCacheFolder() });
		const { separatorId } = tokenizer;
		if (separatorId !== undefined) checkTokenIds([separatorId], tokenizer, folder.config, tokenizer.place);
		checkPositions(sequence.length, folder.config);
		if (objective === 'nextToken') checkOutputMatrix(folder.config, folder.path);
		return { folder, tokenizer, fingerprint: fingerprintModel(folder, tokenizer), close: folder.close };
	} catch (error) {
		folder.close();
		throw error;
	}
}

/** Beyond its longest position a model has never seen an angle. */
export function checkPositions(sequenceLength: number, { maxPositions }: ModelConfig): void {
	if (sequenceLength <= maxPositions) return;
	throw inputError(
		'SEQUENCE_TOO_LONG',
		`the model reads at most ${maxPositions} tokens, not ${sequenceLength}`,
		{
			place: 'sequence.length',
			remedy: 'Use shorter sequences; sequence.largeFunctions: window scores long functions in parts.',
		},
	);
}

/** What is known of the base that an adapter was made on. */
export interface RecordedBase {
	/** The adapter, for messages. */
	readonly adapter: string;
	/** Where its base lay. */
	readonly model: string;
	/** undefined where another tool or an earlier version saved the adapter. */
	readonly fingerprint: ModelFingerprint | undefined;
}

/** Said where nothing is known of an adapter's base. */
export const uncheckedBase =
	'The adapter does not say which base it was made on (another tool or an earlier version saved it): whether this is the right one was not checked.';

/**
 * Compares a base with the one that an adapter was made on.
 *
 * @returns what to warn of: nothing can be checked, or the other base that `allowOther` allows; undefined where they are the same
 * @throws VulntuneError BASE_MISMATCH, which names both
 */
export function checkBase(
	recorded: RecordedBase,
	base: Pick<Base, 'folder' | 'fingerprint'>,
	allowOther: boolean,
): string | undefined {
	if (recorded.fingerprint === undefined) return uncheckedBase;
	const mismatch = describeMismatch(recorded.fingerprint, base.fingerprint);
	if (mismatch === undefined) return undefined;
	const message = `the adapter was made on another base (${recorded.model}): ${mismatch}`;
	if (allowOther) return `Allowed by --allow-other-base: ${message}.`;
	throw inputError('BASE_MISMATCH', message, {
		place: base.folder.path,
		remedy: `Give the base of ${recorded.adapter} with --model, or take this one by name with --allow-other-base.`,
	});
}

/** `other weights (3f2a… there, 77bc… here), another tokenizer (…)`; undefined where nothing differs. */
export function describeMismatch(recorded: ModelFingerprint, found: ModelFingerprint): string | undefined {
	const names = { weights: 'other weights', config: 'another config.json', tokenizer: 'another tokenizer' };
	const short = (sum: string) => sum.slice(0, 12);
	const parts = fingerprintDifferences(recorded, found).map(
		(part) => `${names[part]} (${short(recorded[part])} there, ${short(found[part])} here)`,
	);
	return parts.length === 0 ? undefined : parts.join(', ');
}
