import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { inputError, writeTextAtomically } from '@vulntune/engine';
import {
	DESCRIPTION,
	readDescription,
	STACK_FILE,
	type StackDescription,
} from '../../methods/description.ts';
import { parseNgram, serializeNgram } from './file.ts';
import type { NgramModel } from './model.ts';
import type { StackedNgram } from './stack.ts';

/** What lies beside an adapter of a stacked head, and what is said of it there. */
export function writtenStack({ model, mean, deviation }: StackedNgram): {
	readonly text: string;
	readonly description: StackDescription;
} {
	// its threshold is the detector's own
	const text = serializeNgram(model, null);
	return { text, description: { type: 'ngram', mean, deviation, hash: sha256(text) } };
}

/**
 * The n-grams that a stacked head was trained with.
 *
 * Throws STACK_FILE where they are not beside the adapter, or are others.
 */
export function readStack(adapter: string, { mean, deviation, hash }: StackDescription): StackedNgram {
	const file = path.join(adapter, STACK_FILE);
	const refuse = (message: string) =>
		inputError('STACK_FILE', message, {
			place: file,
			remedy:
				'Copy the whole adapter folder from the run that made it: its head was trained with these n-grams.',
		});
	if (!existsSync(file)) throw refuse('the n-grams that the head sees the score of are not there');
	const text = readFileSync(file, 'utf8');
	if (sha256(text) !== hash) throw refuse('these are not the n-grams that the head was trained with');
	return { model: parseNgram(text, file).model, mean, deviation };
}

/** Whether these are the n-grams that a head was trained with. */
export function isStackOf(model: NgramModel, { hash }: StackDescription): boolean {
	return sha256(serializeNgram(model, null)) === hash;
}

/**
 * Writes the n-grams of a stacked head again where they were lost beside it, or changed.
 *
 * Throws DETECTOR_DESCRIPTION where what says of them is lost too, STACK_FILE where the head was trained with others than these.
 *
 * @param text as they are written
 */
export function restoreStack(adapter: string, text: string): void {
	const stack = readDescription(adapter)?.stack;
	if (stack === undefined) {
		throw inputError(
			'DETECTOR_DESCRIPTION',
			'nothing says any more which n-grams the head was trained with',
			{
				place: path.join(adapter, DESCRIPTION),
				remedy: 'Put the file back as the run wrote it, or start the run anew with --overwrite.',
			},
		);
	}
	const file = path.join(adapter, STACK_FILE);
	const isWhole = existsSync(file) && sha256(readFileSync(file, 'utf8')) === stack.hash;
	if (!isWhole && sha256(text) === stack.hash) {
		writeTextAtomically(file, text);
	}
	readStack(adapter, stack);
}

function sha256(text: string): string {
	return createHash('sha256').update(text).digest('hex');
}
