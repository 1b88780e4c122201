import { existsSync } from 'node:fs';
import path from 'node:path';
import { makeFolder, writeTextAtomically } from '@vulntune/engine';
import { loadAuditedDataset } from '../audit/training-dataset.ts';
import { NGRAM_FILE, serializeNgram } from '../baselines/ngram/file.ts';
import { predictNgram } from '../baselines/ngram/model.ts';
import { selectNgram } from '../baselines/ngram/select.ts';
import type { Config } from '../config/schema.ts';
import type { Dataset } from '../data/dataset.ts';
import { leftOutLines, summarizeData } from '../data/summary.ts';
import { textRows } from '../evaluation/evaluated-rows.ts';
import { writeReport } from '../report/write-report.ts';
import { writeDataRecord } from '../run/data-record.ts';
import { hasEnded } from '../run/end-record.ts';
import { openJsonlLog } from '../run/jsonl-log.ts';
import { claimRunFolder, type RunFolder, refuseExistingRun, runFolder } from '../run/run-folder.ts';
import { writeRunHeader } from '../run/run-header.ts';
import { otherRun, requireOwnMethod } from '../training/earlier-run.ts';
import { createStopwatch } from '../training/stopwatch.ts';
import { splitMetrics } from './fine-tuning-task.ts';
import { summarizeRun } from './finish-run.ts';
import { savePredictions } from './predictions.ts';
import type { RunMode, RunOutcome, RunSignals } from './run-events.ts';
import { oneClassValidationNote, requireBothClasses } from './training-rows.ts';

/**
 * A run of `method.type: ngram`: logistic regression on character n-grams, in seconds, into the same run folder. One that was
 * interrupted is made anew.
 */
export async function runNgram(config: Config, mode: RunMode, signals: RunSignals): Promise<RunOutcome> {
	const folder = runFolder(config.output);
	refuseExistingRun(folder, mode);
	if (mode.resume) refuseOtherRun(folder, config);
	if (mode.resume && hasEnded(folder)) return { status: 'alreadyFinished', output: folder.root };
	const note = (line: string) => signals.emit({ type: 'note', line });
	const dataset = await loadAuditedDataset(config.data, note);
	for (const line of leftOutLines(dataset.leftOut)) note(`left out ${line}`);
	const { train, valid } = dataset.splits;
	requireBothClasses(train);
	const oneClass = oneClassValidationNote(valid);
	if (oneClass !== undefined) note(oneClass);
	const claim = { resume: false, overwrite: mode.overwrite || mode.resume };
	return claimRunFolder(folder, claim, () => fitAndSave(config, folder, dataset, signals, mode.began));
}

async function fitAndSave(
	config: Config,
	folder: RunFolder,
	dataset: Dataset,
	signals: RunSignals,
	began = 0,
): Promise<RunOutcome> {
	const { train, valid, test } = dataset.splits;
	const isCollapsed = config.data.collapseWhitespace;
	writeRunHeader(folder, config, {
		backend: 'none',
		datasetHash: dataset.hash,
		tokenizerHash: '',
		fingerprint: '',
		synthetic: dataset.splits.test.some((row) => row.synthetic === true),
	});
	const splits = { train: { rows: train }, valid: { rows: valid }, test: { rows: test } };
	writeDataRecord(folder, summarizeData(splits, null, dataset.leftOut));
	const stopwatch = createStopwatch();
	const startSeconds = (performance.now() - began) / 1000;
	const interrupted = { status: 'interrupted', output: folder.root, startsAnew: true } as const;
	signals.emit({ type: 'note', line: `fitting n-grams of ${train.length} functions` });
	const selection = selectNgram(textRows(train, isCollapsed), textRows(valid, isCollapsed), {
		stop: signals.interrupted,
	});
	if (selection === undefined) return interrupted;
	const { model, validationProbabilities } = selection;
	const labels = valid.map((row) => row.label);
	const validation = splitMetrics(
		labels,
		validationProbabilities,
		meanLogLoss(labels, validationProbabilities),
	);
	const { loss, rocAuc, threshold } = validation;
	const texts = textRows(test, isCollapsed).map((row) => row.text);
	const probabilities = Float64Array.from(predictNgram(model, texts));

	makeFolder(folder.adapter);
	writeTextAtomically(path.join(folder.adapter, NGRAM_FILE), serializeNgram(model, threshold));
	savePredictions(folder.predictions('valid'), valid, validationProbabilities, threshold);
	const results = {
		rows: dataset.splits,
		test: { probabilities, truncated: 0 },
		best: { epoch: 1, loss, rocAuc, threshold },
		training: { functions: train.length, ignored: 0, truncated: 0 },
		ngram: selection,
	};
	const record = { type: 'epoch', epoch: 1, validation } as const;
	writeLog(folder.timings, [
		{ type: 'start', seconds: startSeconds, residentBytes: process.memoryUsage.rss() },
		stopwatch.lap(record, { residentBytes: process.memoryUsage.rss() }),
	]);
	signals.emit({ type: 'record', record });
	const summary = summarizeRun(config, folder, results, signals);
	if (summary === undefined) return interrupted;
	// its last line says that the run is whole: it comes last
	writeLog(folder.metrics, [record, summary.record]);
	await writeReport(folder.root);
	return { status: 'finished', summary };
}

/** An n-gram run has no checkpoints: a run that has some is another method's, and would be lost. */
function refuseOtherRun(folder: RunFolder, config: Config): void {
	requireOwnMethod(folder, config);
	if (!existsSync(folder.checkpoints)) return;
	throw otherRun(folder, 'the folder holds a run of another method');
}

function meanLogLoss(labels: readonly number[], probabilities: ArrayLike<number>): number {
	const losses = labels.map((label, i) => -Math.log(label === 1 ? probabilities[i]! : 1 - probabilities[i]!));
	return losses.reduce((sum, value) => sum + value, 0) / Math.max(1, losses.length);
}

function writeLog(file: string, records: readonly object[]): void {
	const log = openJsonlLog(file, 0);
	try {
		for (const record of records) log.append(record);
		log.flush();
	} finally {
		log.close();
	}
}
