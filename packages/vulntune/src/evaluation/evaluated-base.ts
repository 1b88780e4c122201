import { existsSync } from 'node:fs';
import path from 'node:path';
import {
	type Backend,
	type BackendChoice,
	createBackend,
	inputError,
	type ModelFingerprint,
	VulntuneError,
} from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { DESCRIPTION, type DetectorDescription } from '../methods/description.ts';
import { type Base, checkBase, openBase } from '../model/open-base.ts';
import { quantizedDetector } from '../model/quantized-detector.ts';
import { openRunBackend } from '../run/run-backend.ts';
import type { RunFolder } from '../run/run-folder.ts';

/** On which base an evaluation was made; in the JSON of `vulntune evaluate`. */
export interface EvaluatedBase {
	readonly path: string;
	readonly fingerprint: ModelFingerprint;
	/** Of the base that the adapter was made on; null where the adapter doesn't say. */
	readonly recorded: ModelFingerprint | null;
}

/**
 * Opens the base of an adapter with the checks that training makes, and compares it with the one that the adapter was made on.
 * A fully fine-tuned model is its own base, and nothing is compared.
 *
 * Throws MODEL_NOT_FOUND with the flag that helps, what `openBase` throws, BASE_MISMATCH.
 */
export function openEvaluatedBase(
	config: Config,
	adapter: string,
	description: DetectorDescription,
	allowOther: boolean,
): { readonly base: Base; readonly told: EvaluatedBase | undefined; readonly caution: string | undefined } {
	if (!existsSync(config.model)) {
		throw inputError('MODEL_NOT_FOUND', 'the base model of the adapter is not there', {
			place: config.model,
			remedy: `Say where it lies now with --model, or as "model" in ${path.join(adapter, DESCRIPTION)}.`,
		});
	}
	const base = openBase(config);
	if (description.method === 'full') {
		const { quantization } = base.folder.config;
		const caution = quantization && quantizedDetector(quantization.type);
		return { base, told: undefined, caution };
	}
	const recorded = description.baseFingerprint;
	try {
		const caution = checkBase({ adapter, model: description.model, fingerprint: recorded }, base, allowOther);
		const told = { path: config.model, fingerprint: base.fingerprint, recorded: recorded ?? null };
		return { base, told, caution };
	} catch (error) {
		base.close();
		throw error;
	}
}

/**
 * The backend that a run was made on, or what was asked for by name. Another machine may not have the run's own: nobody is
 * bound to it then, and the note says what is taken instead.
 */
export function openEvaluationBackend(
	run: RunFolder | undefined,
	choice: BackendChoice,
	isAskedFor: boolean,
	note: (line: string) => void,
): Backend {
	try {
		return openRunBackend(isAskedFor ? undefined : run, choice, note);
	} catch (error) {
		if (isAskedFor || !(error instanceof VulntuneError)) throw error;
		note(
			`the backend that the run was made on is not here (${error.summary}): scoring on the fastest there is`,
		);
		return createBackend({ type: 'auto', isa: 'auto', threads: 'auto' }, note);
	}
}
