import { type Backend, checkTokenIds, inputError } from '@vulntune/engine';
import { stackedScores } from '../baselines/ngram/stack.ts';
import { readStack } from '../baselines/ngram/stack-file.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import type { Config } from '../config/schema.ts';
import { collapseWhitespace } from '../data/whitespace.ts';
import { type Attribution, attributeTokens } from '../explanation/attribute-tokens.ts';
import { type LineScore, scoreLines } from '../explanation/line-scores.ts';
import { locateTokens } from '../explanation/token-lines.ts';
import { requireLearnt } from '../methods/answers.ts';
import { type DetectorDescription, readDescription } from '../methods/description.ts';
import { type CalibrationMethod, calibrated } from '../metrics/calibrate.ts';
import { blamingBase } from '../model/damaged-base.ts';
import type { Base } from '../model/open-base.ts';
import { loadSavedDetector } from '../scoring/configured-detector.ts';
import { withKeptStates } from '../scoring/frozen-states.ts';
import { type FunctionScores, requireScores, scoreFunctions } from '../scoring/score-split.ts';
import { answersOf, scoringOf } from '../scoring/scoring-options.ts';
import { findAdapter, unfinishedRun } from './evaluated-adapter.ts';
import { openEvaluatedBase, openEvaluationBackend } from './evaluated-base.ts';

/** A detector that is loaded once and scores functions whose labels nobody knows. */
export interface Scorer {
	/** From validation; null where that could choose none. */
	readonly threshold: number | null;
	/** Whether the model sees both ways. */
	readonly isEncoder: boolean;
	/**
	 * Probabilities of being vulnerable, in the order of the functions. Takes some hundred functions at a time and no more before
	 * their scores have been taken, so that what makes them waits for whoever reads these. A score doesn't depend on the others.
	 *
	 * Throws FUNCTION_EMPTY, TOKENIZER_MODEL, SCORE_NOT_FINITE.
	 */
	score(functions: Iterable<string> | AsyncIterable<string>): AsyncGenerator<number, void>;
	/** Whether the head also sees the score of n-grams, which has no part in what lines are said to have to do with a score. */
	readonly isStacked: boolean;
	/**
	 * The same for functions in tokens, all at once; `progress` is called after every pack.
	 *
	 * @param texts of the same functions, as the tokenizer was given them
	 */
	scoreTokens(
		tokens: readonly Int32Array[],
		texts: readonly string[],
		progress?: (done: number, total: number) => void,
	): Promise<FunctionScores>;
	/**
	 * What the lines of each function have to do with its score, [functions] of [lines]; `progress` is called after every pack.
	 *
	 * Throws FUNCTION_EMPTY, ATTRIBUTION_NOT_ENCODER, TOKENIZER_MODEL.
	 */
	explain(
		functions: readonly string[],
		method: Attribution,
		progress?: (done: number, total: number) => void,
	): Promise<LineScore[][]>;
	/** Gives the memory back; the backend stays open. */
	free(): void;
}

/** What a reader of lines must know where the head is stacked. */
export const stackHasNoLines =
	"lines are scored by the model's part alone: the n-grams' share of a function's score is not laid to lines";

/** Functions that are packed together: enough to fill packs, few enough to begin soon. */
const FUNCTIONS_AT_A_TIME = 256;

/**
 * A scorer of an adapter whose base is open. Throws ADAPTER_OTHER_ANSWERS, MODEL_NOT_FINITE, CALIBRATION_MISSING.
 *
 * @param calibration which of the maps that were fitted on validation is put behind its probabilities; none if absent
 */
export async function createScorer(
	config: Config,
	adapter: string,
	{ base, description }: { readonly base: Base; readonly description: DetectorDescription },
	backend: Backend,
	calibration?: CalibrationMethod,
): Promise<Scorer> {
	const { tokenizer, folder } = base;
	const asked = answersOf(config, tokenizer);
	if (asked !== undefined) requireLearnt(description.answers, asked, adapter);
	const scoring = scoringOf(config, tokenizer, folder.config);
	const { map, threshold } = calibrationOf(description, adapter, calibration);
	const stack = description.stack && readStack(adapter, description.stack);
	const loaded = await blamingBase(folder, () => loadSavedDetector(config, backend, folder, adapter));
	const detector = withKeptStates(loaded, config, base, scoring.tokens);
	const scoreTokens: Scorer['scoreTokens'] = async (tokens, texts, progress = () => {}) => {
		const functions = { tokens, stackedScores: stack && stackedScores(stack, texts) };
		const scores = (await blamingBase(folder, () =>
			scoreFunctions(detector, functions, { ...scoring, progress }),
		))!;
		return { ...scores, probabilities: scores.probabilities.map(map) };
	};
	let scored = 0;

	async function* scoreTexts(given: readonly string[]) {
		const nameOf = (index: number) => `${scored + index + 1}`;
		for (const [index, code] of given.entries()) requireFunction(code, `function ${nameOf(index)}`);
		const texts = config.data.collapseWhitespace ? given.map(collapseWhitespace) : given;
		const tokens = texts.map((text, index) => {
			const ids = tokenizer.encode(text);
			checkTokenIds(ids, tokenizer, folder.config, `function ${nameOf(index)}`);
			return ids;
		});
		const { probabilities } = await scoreTokens(tokens, texts);
		requireScores(probabilities, nameOf);
		scored += texts.length;
		yield* probabilities;
	}

	return {
		threshold,
		isEncoder: !folder.config.causal,
		isStacked: stack !== undefined,
		scoreTokens,
		async explain(functions, method, progress = () => {}) {
			const located = functions.map((code, index) => {
				requireFunction(code, `function ${index + 1}`);
				const found = locateTokens(code, tokenizer, config.data.collapseWhitespace);
				checkTokenIds(found.ids, tokenizer, folder.config, `function ${index + 1}`);
				return found;
			});
			const scores = await blamingBase(folder, () =>
				attributeTokens(
					// kept states have no gradient: what is explained is computed
					loaded,
					located.map(({ ids }) => ids),
					{ ...scoring, progress },
					method,
				),
			);
			return located.map((tokens, index) => scoreLines(tokens, scores[index]!));
		},
		async *score(functions) {
			scored = 0;
			let batch: string[] = [];
			for await (const text of functions) {
				batch.push(text);
				if (batch.length < FUNCTIONS_AT_A_TIME) continue;
				yield* scoreTexts(batch);
				batch = [];
			}
			if (batch.length > 0) yield* scoreTexts(batch);
		},
		free: detector.free,
	};
}

/** Throws FUNCTION_EMPTY where there is nothing to score, which a dataset refuses too. */
export function requireFunction(
	code: string,
	place: string,
	remedy = 'Leave it out: a detector says nothing of no function.',
): void {
	if (code.trim() === '') throw inputError('FUNCTION_EMPTY', 'the function is empty', { place, remedy });
}

/** What is put behind a detector's probabilities, and the threshold that validation chose after it. */
function calibrationOf(
	{ calibration, threshold }: DetectorDescription,
	adapter: string,
	method: CalibrationMethod | undefined,
): { readonly map: (probability: number) => number; readonly threshold: number | null } {
	if (method === undefined) return { map: (probability) => probability, threshold };
	if (calibration === undefined) {
		throw inputError('CALIBRATION_MISSING', 'no calibration lies beside the adapter', {
			place: adapter,
			remedy:
				'Leave out --calibration: validation had one class only, or the adapter is of an earlier version, which fitted none.',
		});
	}
	return {
		// what is no number stays none, for its reader to refuse
		map: (probability) =>
			Number.isFinite(probability) ? calibrated(calibration, method, probability) : probability,
		threshold: calibration[method].threshold,
	};
}

export interface ScorerOptions {
	/** Options of the run's config that are others here: `model`, `training.precision`, those of the backend. */
	readonly overrides?: ConfigOverrides;
	readonly allowOtherBase?: boolean;
	/** Puts a map that was fitted on validation behind the probabilities. */
	readonly calibration?: CalibrationMethod;
	/** Told what the reader of the scores must know. */
	readonly note?: (line: string) => void;
}

/**
 * Opens a run, or an adapter outside its run, to score functions with; `free` closes all of it.
 *
 *     const scorer = await openScorer('runs/first');
 *     for await (const probability of scorer.score(functions)) …
 *     scorer.free();
 *
 * Throws RUN_NOT_FOUND, RUN_UNFINISHED, ADAPTER_UNDESCRIBED, BASE_MISMATCH.
 */
export async function openScorer(location: string, options: ScorerOptions = {}): Promise<Scorer> {
	const { overrides = {}, allowOtherBase = false, calibration, note = () => {} } = options;
	// an adapter outside its run needs no data to score with
	const { config, adapter, run } = findAdapter(location, '.', overrides);
	refuseNgram(config, location);
	const description = readDescription(adapter);
	if (description === undefined) throw unfinishedRun(adapter);
	const { base, caution } = openEvaluatedBase(config, adapter, description, allowOtherBase);
	try {
		if (caution !== undefined) note(caution);
		const isAskedFor = Object.keys(overrides).some((name) => name.startsWith('backend.'));
		const backend = openEvaluationBackend(run, config.backend, isAskedFor, note);
		try {
			const scorer = await createScorer(config, adapter, { base, description }, backend, calibration);
			return {
				...scorer,
				free() {
					scorer.free();
					backend.close();
					base.close();
				},
			};
		} catch (error) {
			backend.close();
			throw error;
		}
	} catch (error) {
		base.close();
		throw error;
	}
}

function refuseNgram({ method: { type } }: Config, place: string): void {
	if (type !== 'ngram') return;
	throw inputError('SCORER_NGRAM', 'this is a run of n-grams, which have no model to open', {
		place,
		remedy: 'Give a run of qlora, lora, prefix, full or head; vulntune evaluate measures n-grams.',
	});
}
