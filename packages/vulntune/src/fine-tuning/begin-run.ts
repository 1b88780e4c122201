import { fingerprintDifferences, type ModelFingerprint } from '@vulntune/engine';
import type { VectorCommunicator } from '../communication/communicator.ts';
import type { Config } from '../config/schema.ts';
import { summarizeData } from '../data/summary.ts';
import type { Detector } from '../methods/detector.ts';
import type { Base } from '../model/open-base.ts';
import { writeDataRecord } from '../run/data-record.ts';
import { basePartNames, identityHash, type RunIdentity } from '../run/identity.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { writeRunHeader } from '../run/run-header.ts';
import type { PreparedData } from '../scoring/prepare-data.ts';
import { type RunTarget, resumeState, saveState } from '../training/run-progress.ts';
import { warmupNote } from '../training/schedule.ts';
import { initialState, type TrainingState } from '../training/state.ts';
import { settingsOf } from './describe-run.ts';
import { extendRun } from './extend-run.ts';
import { countSteps } from './fine-tuning-task.ts';
import type { RunMode, RunSignals } from './run-events.ts';
import type { SeenNgram } from './stack-ngram.ts';
import type { StartAdapter } from './start-adapter.ts';

/** All that a run works with once it is loaded. */
export interface LoadedRun {
	readonly config: Config;
	readonly folder: RunFolder;
	readonly base: Base;
	readonly data: PreparedData;
	/** Of the n-grams that the head sees; undefined where it sees none. */
	readonly ngram: SeenNgram | undefined;
	readonly detector: Detector;
	readonly start: StartAdapter | undefined;
	readonly identity: RunIdentity;
	readonly communicator: VectorCommunicator;
}

/** Where the run stands in its folder, its tensors restored; writes what a run begins with. */
export function beginRun(
	run: LoadedRun,
	mode: RunMode,
	target: RunTarget,
	signals: RunSignals,
): TrainingState {
	const { config, folder, base, data, detector, start, identity } = run;
	const settings = settingsOf(config);
	const warn = (line: string) => signals.emit({ type: 'note', line });
	const mayDiffer = ['epochs', ...(mode.allowOtherBase === true ? basePartNames : [])];
	const resumed = mode.resume ? resumeState<TrainingState>(folder, target, warn, mayDiffer) : undefined;
	if (mode.resume && resumed === undefined) warn(`no checkpoint in ${folder.root}: the run starts anew`);
	const state = resumed?.state ?? initialState();
	const ran = resumed === undefined ? config.training.epochs : Number(resumed.identity.epochs);
	if (ran !== config.training.epochs) {
		extendRun(folder, state, ran, config);
		// before the logs are cut: a kill in between finds the one or the other run whole
		saveState(folder, state, target);
	}
	if (state.finished) return state;
	const totalSteps = countSteps(data.splits.train, settings, data.scoring, state.extension?.firstEpoch);
	const shortened = warmupNote({ ...settings.schedule, totalSteps });
	if (shortened !== undefined) warn(shortened);
	noteEarlierBase(state, resumed?.identity ?? start?.base.fingerprint, base);
	writeRunHeader(folder, config, {
		backend: `${detector.backend.name} (${detector.backend.description})`,
		hardware: detector.backend.hardware,
		datasetHash: data.dataset.hash,
		tokenizerHash: data.tokenizer.hash,
		fingerprint: identityHash(identity),
		base: base.fingerprint,
		...(state.earlierBases === undefined ? {} : { earlierBases: state.earlierBases }),
		synthetic: data.dataset.splits.test.some((row) => row.synthetic === true),
	});
	const { length, leadingLength = 0, suffixLength = 0 } = data.scoring.packing;
	const room = length - leadingLength - suffixLength;
	writeDataRecord(folder, summarizeData(data.splits, room, data.dataset.leftOut));
	return state;
}

/** Remembers the base that was left by --allow-other-base, the oldest first. */
function noteEarlierBase(
	state: TrainingState,
	earlier: RunIdentity | ModelFingerprint | undefined,
	{ fingerprint }: Base,
): void {
	if (earlier === undefined) return;
	const { weights, config, tokenizer } = earlier as ModelFingerprint;
	if (fingerprintDifferences(earlier as ModelFingerprint, fingerprint).length === 0) return;
	state.earlierBases = [...(state.earlierBases ?? []), { weights, config, tokenizer }];
}
