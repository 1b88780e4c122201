import { existsSync } from 'node:fs';
import path from 'node:path';
import type { ModelFingerprint, Precision } from '@vulntune/engine';
import { inputError } from '@vulntune/engine/errors.ts';
import { readSmallFile } from '@vulntune/engine/formats/files.ts';
import { parseJsonObject } from '@vulntune/engine/formats/json.ts';
import type { WindowCombination } from '../packing/combine-windows.ts';
import type { PackingOptions } from '../packing/options.ts';
import type { Answers } from './answers.ts';
import type { MethodOptions } from './detector.ts';
import type { HeadOptions } from './head.ts';

/** What a saved detector must be run with to give the numbers that were measured. */
export interface DetectorDescription {
	readonly format: 1;
	/** Folder of the base model. */
	readonly model: string;
	/** Of that base: what the adapter must be run on. Versions before had none. */
	readonly baseFingerprint?: ModelFingerprint;
	/** Bases that the adapter was on before, each left by --allow-other-base; absent where there was none. */
	readonly earlierBases?: readonly ModelFingerprint[];
	readonly method: MethodOptions['type'];
	readonly base: string;
	readonly doubleQuantization: boolean;
	readonly objective: 'class' | 'nextToken';
	readonly nextToken: { readonly prompt: string; readonly positive: string; readonly negative: string };
	/** What nextToken asks in tokens; undefined for the class objective. The first versions don't have it. */
	readonly answers?: Answers | undefined;
	readonly head: HeadOptions;
	readonly collapseWhitespace: boolean;
	readonly sequence: PackingOptions & { readonly windowCombination: WindowCombination };
	readonly precision: Precision;
	/** From validation; null where that had one class only. */
	readonly threshold: number | null;
	readonly epoch: number;
	readonly seed: number;
}

/** Lies beside what was trained. */
export const DESCRIPTION = 'vulntune.json';

/** undefined where the folder is an adapter that another tool saved. */
export function readDescription(folder: string): DetectorDescription | undefined {
	const file = path.join(folder, DESCRIPTION);
	if (!existsSync(file)) return undefined;
	const json = parseJsonObject(readSmallFile(file, 1_000_000), {
		code: 'DETECTOR_DESCRIPTION',
		place: file,
		remedy: 'Train again, or copy the file from the run that made the adapter.',
	}) as unknown as DetectorDescription;
	if (json.format !== 1) {
		throw inputError('DETECTOR_DESCRIPTION', `format 1 is expected, found ${String(json.format)}`, {
			place: file,
			remedy: 'Use the version of vulntune that wrote it.',
		});
	}
	return json;
}
