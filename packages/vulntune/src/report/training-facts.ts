import type { Prediction } from '../evaluation/predictions.ts';
import { formatNumber } from '../terminal/format.ts';
import { choice, lastPart, leftOut, type ReportData } from './report-data.ts';

/** What a run was trained on and how: a name and a sentence each. */
export type TrainingFact = readonly [name: string, text: string];

/** What a reader needs to tell one run from another; every option is in config.yaml. */
export function trainingFacts(data: ReportData): TrainingFact[] {
	const facts = [...dataFacts(data), ...(data.model === null ? [] : modelFacts(data)), chosen(data)];
	return facts.filter(([, text]) => text !== '');
}

function dataFacts(data: ReportData): TrainingFact[] {
	const { isSynthetic } = data;
	const splits = splitSizes(data).map(([purpose, functions, vulnerable], index) => {
		const found = vulnerable === undefined ? '' : ` (${formatNumber(vulnerable)} vulnerable)`;
		return `${formatNumber(functions)}${index === 0 ? ' functions' : ''} for ${purpose}${found}`;
	});
	const name = `${lastPart(data.dataset)}${isSynthetic ? ' (synthetic)' : ''}`;
	return [
		['data', `${name}: ${splits.join(', ')}`],
		['left out', leftOut(data)],
	];
}

/** Functions of each split and the vulnerable among them, where the run wrote that down. */
function splitSizes({ data, training, validation, test }: ReportData): SplitSize[] {
	if (data !== null) {
		const { train, valid, test } = data.splits;
		return [
			['training', train.functions, train.vulnerable],
			['validation', valid.functions, valid.vulnerable],
			['test', test.functions, test.vulnerable],
		];
	}
	const sizeOf = (purpose: string, predictions: readonly Prediction[]): SplitSize => [
		purpose,
		predictions.length,
		predictions.filter(({ label }) => label === 1).length,
	];
	const trained: SplitSize[] = training === null ? [] : [['training', training.functions, undefined]];
	return [...trained, sizeOf('validation', validation), sizeOf('test', test)];
}

type SplitSize = readonly [purpose: string, functions: number, vulnerable: number | undefined];

function modelFacts(data: ReportData): TrainingFact[] {
	return [
		['base model', baseText(data)],
		['method', methodText(data)],
		['answer', answerText(data)],
		['sequences', sequenceText(data)],
		['tokens', tokenText(data)],
		['loss', lossText(data)],
		['optimiser', optimizerText(data)],
	];
}

function baseText({ model, base, settings, environment }: ReportData): string {
	const twice = settings.method.type === 'qlora' && settings.method.doubleQuantization;
	const held = `${lastPart(model!)}, held as ${base}${twice && base !== 'int8' ? ' with double quantisation' : ''}`;
	const { weights } = (environment.base ?? {}) as { readonly weights?: unknown };
	const before = Array.isArray(environment.earlierBases) ? environment.earlierBases.length : 0;
	return [
		held,
		...(typeof weights === 'string' ? [`fingerprint of its weights ${weights.slice(0, 16)}`] : []),
		...(before === 0 ? [] : [`begun on ${before === 1 ? 'another base' : `${before} other bases`}`]),
	].join('; ');
}

function methodText({ settings: { method } }: ReportData): string {
	if (method.type === 'prefix') return `prefix of ${method.prefixLength} keys and values in each block`;
	if (method.type !== 'lora' && method.type !== 'qlora') return method.type;
	const { type, rank, alpha, dropout, targets, layersToTransform, bidirectionalLayers, rsLora, from } =
		method;
	const modules = typeof targets === 'string' ? targets : targets.join(', ');
	const blocks = layersToTransform == null ? '' : ` in blocks ${layersToTransform.join(', ')}`;
	const sight = bidirectionalLayers > 0 ? `, the last ${bidirectionalLayers} blocks seeing both ways` : '';
	const start = from === null ? '' : `, from ${lastPart(from)}`;
	return `${type}, rank ${rank}, alpha ${alpha}${rsLora ? ' (rsLoRA)' : ''}, dropout ${dropout}, on ${modules}${blocks}${sight}${start}`;
}

function answerText({ settings: { method, objective, head, nextToken } }: ReportData): string {
	if (objective === 'nextToken') {
		return `the next token: ${JSON.stringify(nextToken.positive)} against ${JSON.stringify(nextToken.negative)}`;
	}
	const hidden = head.hidden === null ? '' : `, hidden layer of ${head.hidden}`;
	const bias = head.bias ? ', with a bias' : '';
	const stack =
		method.stack === null ? '' : ", and on the n-grams' score (of training functions, out of fold)";
	return `a classification head on ${pooled[head.pool]} of a function's tokens${hidden}${bias}${stack}`;
}

const pooled = {
	last: 'the last state',
	first: 'the first state',
	mean: 'the mean of the states',
	max: 'the maximum of the states',
	meanMax: 'the mean and the maximum of the states',
} as const;

function sequenceText({ settings: { sequence } }: ReportData): string {
	const { length, packing, order, maxFunctions, largeFunctions, sharePrefixes } = sequence;
	const packed =
		packing === 'none'
			? 'one function each'
			: `${packing} packing (${order}, at most ${maxFunctions} functions)`;
	const shared = sharePrefixes ? ', common prefixes computed once' : '';
	return `${length} tokens, ${packed}; longer functions are ${treatment[largeFunctions]}${shared}`;
}

const treatment = { ignore: 'left out', truncate: 'cut', window: 'split into windows' } as const;

function tokenText({ training, epochs }: ReportData): string {
	if (training?.tokens === undefined) return '';
	const shared = training.sharedTokens ? `, ${formatNumber(training.sharedTokens)} more shared` : '';
	return `${formatNumber(training.tokens)} in an epoch${shared}; ${epochs.length} ${epochs.length === 1 ? 'epoch' : 'epochs'}`;
}

function lossText({ settings: { loss } }: ReportData): string {
	const { type, gamma, alpha, gradient, reduction, classWeights, statusWeights, pair, pairWeight } = loss;
	return [
		type === 'focal' ? `focal, gamma ${gamma}` : 'cross-entropy',
		...(type === 'focal' && alpha !== null ? [`alpha ${[alpha].flat().join(' / ')}`] : []),
		...(type === 'focal' && gradient === 'detached' ? ['detached gradient'] : []),
		`${reduction} over functions`,
		...(classWeights === null ? [] : [`class weights ${classWeights.join(' / ')}`]),
		...(statusWeights === null ? [] : [`status weights ${JSON.stringify(statusWeights)}`]),
		...(pair === null ? [] : [`${pair} loss of pairs, weight ${pairWeight}`]),
	].join(', ');
}

function optimizerText({ settings: { training } }: ReportData): string {
	const { learningRate, schedule, warmupSteps, weightDecay, accumulation, sequencesPerPass } = training;
	const { optimizer, clipNorm, precision, seed } = training;
	return [
		`AdamW${optimizer === 'adamw8bit' ? ' with moments in 8 bits' : ''}, learning rate ${learningRate} (${schedule}, ${warmupSteps} warm-up steps)`,
		`weight decay ${weightDecay}`,
		`${accumulation} sequences a step${sequencesPerPass > 1 ? `, ${sequencesPerPass} at once` : ''}`,
		clipNorm === null ? 'no clipping' : `gradients clipped to ${clipNorm}`,
		`${precision} arithmetic`,
		`seed ${seed}`,
	].join(', ');
}

function chosen(data: ReportData): TrainingFact {
	return ['chosen', choice(data)];
}
