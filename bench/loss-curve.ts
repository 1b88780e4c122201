/**
 * Whether training in 8 bits learns what training in bf16 does: `node bench/loss-curve.ts [configs/smollm2-x1-lora.yaml]
 * [--steps 200] [--model FOLDER] [--data FOLDER]`. Both train on the same sequences, one a step, and score the
 * validation split at the end. Prints the loss in tenths of the run, and both ROC AUC.
 */
import { parseArgs } from 'node:util';
import { createBackend, loadTokenizer, openModelFolder, type Precision } from '@vulntune/engine';
import {
	type Config,
	createOptimizer,
	learningRateAt,
	loadConfig,
	loadDataset,
	packEpoch,
	pairedDelong,
	textTable,
	trainOnPack,
} from 'vulntune';
import { createDetectorOf } from 'vulntune/scoring/configured-detector.ts';
import { tokenizedSplit } from 'vulntune/scoring/prepare-data.ts';
import { scoreSplit } from 'vulntune/scoring/score-split.ts';
import { scoringOf } from 'vulntune/scoring/scoring-options.ts';
import { assemblePack } from 'vulntune/scoring/split-data.ts';

const PARTS = 10;

interface Learned {
	/** Mean loss of a function, by step. */
	readonly losses: readonly number[];
	/** Of the validation rows. */
	readonly probabilities: Float64Array;
	readonly labels: readonly (0 | 1)[];
	readonly tokensPerSecond: number;
}

async function learn(config: Config, steps: number): Promise<Learned> {
	const { precision, seed, learningRate, warmupSteps, schedule, weightDecay, clipNorm } = config.training;
	const folder = openModelFolder(config.model);
	const tokenizer = loadTokenizer(config.model);
	const { splits } = await loadDataset(config.data.path, { required: ['train', 'valid'] });
	const [train, valid] = [
		await tokenizedSplit(config, splits.train, tokenizer, folder.config),
		await tokenizedSplit(config, splits.valid, tokenizer, folder.config),
	];
	const backend = createBackend(config.backend, (line) => console.error(line));
	const detector = createDetectorOf(config, backend, folder);
	const scoring = scoringOf(config, tokenizer, folder.config);
	folder.close();
	const optimizer = createOptimizer(backend, detector.parameters, { weightDecay, clipNorm });
	const losses: number[] = [];
	let tokens = 0;
	const start = performance.now();
	for (let epoch = 1; losses.length < steps; epoch++) {
		const { packs } = packEpoch(train.lengths, scoring.packing, seed, epoch);
		for (const pieces of packs.slice(0, steps - losses.length)) {
			const { pack, targets } = assemblePack(train, pieces, scoring.packing.packing, scoring.tokens);
			const step = losses.length + 1;
			const functions = targets.labels.length;
			const ofFunctions = trainOnPack(detector, pack, targets, 1 / functions, step, scoring.pass);
			optimizer.step(step, learningRateAt(step, { schedule, learningRate, warmupSteps, totalSteps: steps }));
			losses.push(ofFunctions.reduce((sum, loss) => sum + loss, 0) / functions);
			tokens += pack.inputIds.length;
			if (step % 20 === 0) console.error(`${precision}: step ${step} of ${steps}, loss ${losses.at(-1)}`);
		}
	}
	const tokensPerSecond = (1000 * tokens) / (performance.now() - start);
	const { probabilities } = (await scoreSplit(detector, valid, scoring))!;
	detector.free();
	backend.close();
	return { losses, probabilities, labels: splits.valid.map(({ label }) => label), tokensPerSecond };
}

function mean(values: readonly number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		steps: { type: 'string', default: '200' },
		model: { type: 'string' },
		data: { type: 'string' },
	},
});
const steps = Number(values.steps);
const learnedIn = (precision: Precision) =>
	learn(
		loadConfig(positionals[0] ?? 'configs/smollm2-x1-lora.yaml', {
			overrides: {
				'training.precision': precision,
				...(values.model === undefined ? {} : { model: values.model }),
				...(values.data === undefined ? {} : { 'data.path': values.data }),
			},
		}),
		steps,
	);
const bf16 = await learnedIn('bf16');
const int8 = await learnedIn('int8');
const part = Math.ceil(steps / PARTS);
const lines = Array.from({ length: Math.ceil(steps / part) }, (_, index) => {
	const range = [index * part, Math.min(steps, (index + 1) * part)] as const;
	const [ours, theirs] = [mean(int8.losses.slice(...range)), mean(bf16.losses.slice(...range))];
	return [
		`${range[0] + 1} to ${range[1]}`,
		theirs.toFixed(4),
		ours.toFixed(4),
		(ours / theirs - 1).toFixed(4),
	];
});
const whole = mean(int8.losses) / mean(bf16.losses) - 1;
const compared = pairedDelong(bf16.labels, int8.probabilities, bf16.probabilities);
console.log(textTable([['steps', 'bf16', 'int8', 'difference'], ...lines]));
console.log(`\nover all steps the mean loss differs by ${(100 * whole).toFixed(2)} %`);
console.log(`tokens/s: bf16 ${bf16.tokensPerSecond.toFixed(0)}, int8 ${int8.tokensPerSecond.toFixed(0)}`);
if ('test' in compared) {
	console.log(
		`ROC AUC on validation: bf16 ${compared.aucB.toFixed(4)}, int8 ${compared.aucA.toFixed(4)}, each scored in its own`,
	);
}
