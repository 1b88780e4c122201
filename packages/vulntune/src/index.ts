export { VulntuneError } from '@vulntune/engine';
export { allPositive } from './baselines/all-positive.ts';
export { type Baselines, fitBaselines } from './baselines/fit-baselines.ts';
export { type LengthDirection, lengthDirection, lengthScores } from './baselines/length.ts';
export { fitNgram, type NgramModel, type NgramOptions, predictNgram } from './baselines/ngram/model.ts';
export { type NgramSelection, selectNgram } from './baselines/ngram/select.ts';
export type { JsonSchema } from './config/json-schema.ts';
export { type ConfigContext, loadConfig, resolveConfig } from './config/load.ts';
export { configJsonSchema } from './config/printed-schema.ts';
export type { Config, ConfigInput } from './config/schema.ts';
export { configToYaml } from './config/yaml-text.ts';
export {
	type Dataset,
	type DatasetOptions,
	loadDataset,
	type SplitName,
	splitNames,
} from './data/dataset.ts';
export type { FunctionRow } from './data/row.ts';
export { type TokenStatistics, tokenStatistics } from './data/statistics.ts';
export { defaultTokenCacheFolder } from './data/token-cache.ts';
export { type TextTokenizer, type TokenizeOptions, tokenizeRows } from './data/tokenize.ts';
export { collapseWhitespace } from './data/whitespace.ts';
export {
	type Comparison,
	type ComparisonOptions,
	compareWithBaselines,
	type EvaluatedRow,
} from './evaluation/compare-with-baselines.ts';
export {
	evaluatePredictions,
	evaluatePredictionsFile,
	type PredictionsReport,
	renderPredictionsReport,
} from './evaluation/evaluate-predictions-file.ts';
export { type Prediction, readPredictions } from './evaluation/predictions.ts';
export { renderComparison } from './evaluation/render-comparison.ts';
export { openScorer, type Scorer, type ScorerOptions } from './evaluation/scorer.ts';
export { drawFigure } from './figures/draw-figure.ts';
export { colour, standingAlone } from './figures/palette.ts';
export { type FineTuning, type FineTuningOptions, finetune } from './fine-tuning/finetune.ts';
export type { RunMode, RunOutcome, RunSignals, TrainingEvent } from './fine-tuning/run-events.ts';
export { runTraining } from './fine-tuning/run-training.ts';
export { type Answers, type AnswerTexts, answerBranches, encodeAnswers } from './methods/answers.ts';
export {
	createDetector,
	type Detector,
	type DetectorOptions,
	type MethodOptions,
} from './methods/detector.ts';
export type { HeadOptions, Pool } from './methods/head.ts';
export { type BestF1, bestF1Threshold } from './metrics/best-f1.ts';
export { pairedBootstrap } from './metrics/bootstrap.ts';
export { delongInterval, pairedDelong } from './metrics/delong.ts';
export { evaluateScores } from './metrics/evaluate-scores.ts';
export type { Evaluation, Metric } from './metrics/evaluation.ts';
export type { ScoredRows } from './metrics/metric-definitions.ts';
export { curveOf } from './metrics/ranking.ts';
export {
	type AdapterInfo,
	type MatrixErrors,
	type ModelInfo,
	type QuantizeOptions,
	type QuantizeReport,
	quantizeModel,
	readAdapterInfo,
	readModelInfo,
} from './model/index.ts';
export { classObjective } from './objectives/class-objective.ts';
export { nextTokenObjective } from './objectives/next-token-objective.ts';
export type { Judgement, Objective, PackLabels } from './objectives/objective.ts';
export { combineWindows, type WindowCombination } from './packing/combine-windows.ts';
export { packEpoch } from './packing/epoch.ts';
export type { PackingOptions, Piece } from './packing/options.ts';
export { buildPack, type Pack } from './packing/pack.ts';
export { type PackPlan, packFunctions } from './packing/pack-functions.ts';
export type { PretrainConfig } from './pretraining/config-schema.ts';
export { loadPretrainConfig, resolvePretrainConfig } from './pretraining/load-config.ts';
export {
	type PretrainEvent,
	type PretrainOutcome,
	runPretraining,
} from './pretraining/run-pretraining.ts';
export {
	type ReportData,
	type ReportOptions,
	readRun,
	renderModelCard,
	renderPage,
	type WrittenReport,
	writeReport,
} from './report/index.ts';
export { type PackScores, type PassOptions, scorePack, trainOnPack } from './scoring/micro-batch.ts';
export { textTable } from './terminal/text-table.ts';
export { createOptimizer, type Optimizer } from './training/optimizer.ts';
export { learningRateAt, type ScheduleOptions } from './training/schedule.ts';
