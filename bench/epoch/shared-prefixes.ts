import { createCpuBackend, loadTokenizer, openModelFolder } from '@vulntune/engine';
import {
	buildPack,
	classObjective,
	createDetector,
	type Detector,
	type FunctionRow,
	loadDataset,
	type PackingOptions,
	type PackPlan,
	type PassOptions,
	packEpoch,
	tokenizeRows,
	trainOnPack,
} from 'vulntune';
import { datasetFolder, pretrainedFolder } from '../inputs.ts';
import { type BenchRow, benchRow } from '../row.ts';
import type { BenchContext, Section } from '../section.ts';

/** What becomes of functions that are longer than a sequence; the second row is measured only where it is named. */
const rowsOfLarge = [
	{ name: 'epoch-x1-shared-prefixes', largeFunctions: 'ignore', optional: false },
	{ name: 'epoch-x1-shared-prefixes-truncated', largeFunctions: 'truncate', optional: true },
] as const;

const LENGTH = 512;
/** Packs of each epoch that a round takes. */
const PACKS_PER_ROUND = 2;

/**
 * Time of an epoch of LoRA on X1's training functions with shared prefixes over the time without: forward and backward
 * pass of a sample of each epoch's packs (every n-th in the order of training), in turn, scaled by tokens. Optimiser
 * steps, of which there are fewer with sharing, are left out.
 */
export const sharedPrefixesSection: Section = {
	rowNames: rowsOfLarge.map(({ name }) => name),
	async run(context) {
		const [model, dataset] = [pretrainedFolder(), datasetFolder()];
		if (model === undefined || dataset === undefined) {
			context.log('epoch-x1-shared-prefixes: skipped, the pretrained model or the dataset is not there');
			return { rows: [] };
		}
		const functions = await readFunctions(model, dataset);
		const { detector, close } = openDetector(context, model);
		try {
			const wanted = rowsOfLarge.filter(({ name, optional }) => context.options.wants(name, optional));
			return { rows: wanted.map((row) => measureEpochs(context, detector, functions, row)) };
		} finally {
			close();
		}
	},
};

interface Functions {
	readonly rows: readonly FunctionRow[];
	readonly tokens: readonly Int32Array[];
	readonly separator: number;
}

async function readFunctions(model: string, dataset: string): Promise<Functions> {
	const tokenizer = loadTokenizer(model);
	const rows = (await loadDataset(dataset, { required: ['train'] })).splits.train;
	const tokens = await tokenizeRows(rows, tokenizer, { collapseWhitespace: true });
	return { rows, tokens, separator: tokenizer.separatorId! };
}

function openDetector({ options }: BenchContext, model: string): { detector: Detector; close(): void } {
	const backend = createCpuBackend(options);
	const folder = openModelFolder(model);
	const detector = createDetector(backend, folder, {
		method: {
			type: 'lora',
			lora: { rank: 8, alpha: 32, dropout: 0, rsLora: false, targets: 'all-linear' },
		},
		base: 'bf16',
		doubleQuantization: false,
		head: { pool: 'last', hidden: null },
		maxPositions: LENGTH,
		seed: 1,
		start: undefined,
	});
	folder.close();
	const close = () => {
		detector.free();
		backend.close();
	};
	return { detector, close };
}

const pass: PassOptions = {
	objective: classObjective,
	precision: 'bf16',
	focal: { gamma: 1, gradient: 'full' },
	checkpointing: false,
};

/** A sample of an epoch's packs, and what they took so far. */
interface SampledEpoch {
	readonly plan: PackPlan;
	readonly packs: PackPlan['packs'];
	seconds: number;
	tokens: number;
}

function measureEpochs(
	{ options, log }: BenchContext,
	detector: Detector,
	functions: Functions,
	{ name, largeFunctions }: (typeof rowsOfLarge)[number],
): BenchRow {
	const count = options.rounds * PACKS_PER_ROUND;
	const [shared, plain] = [
		sampleEpoch(functions, largeFunctions, true, count),
		sampleEpoch(functions, largeFunctions, false, count),
	];
	for (const { packs } of [shared, plain]) train(detector, functions, packs[0]!); // warms up
	for (let index = 0; index < count; index++) {
		if (index % PACKS_PER_ROUND === 0) log(`${name}: packs ${index + 1} of ${count}`);
		for (const epoch of [shared, plain]) {
			const { seconds, tokens } = train(detector, functions, epoch.packs[index % epoch.packs.length]!);
			epoch.seconds += seconds;
			epoch.tokens += tokens;
		}
	}
	const tokensLeft = shared.plan.tokens / plain.plan.tokens;
	const sampled = `${shared.packs.length} of ${shared.plan.packs.length} packs against ${plain.packs.length} of ${plain.plan.packs.length}`;
	return benchRow({
		name,
		value: secondsOf(shared) / secondsOf(plain),
		unit: 'of the time without',
		note: `${tokensLeft.toFixed(3)} of the tokens; ${sampled}`,
	});
}

function secondsOf({ plan, seconds, tokens }: SampledEpoch): number {
	return (plan.tokens * seconds) / tokens;
}

function sampleEpoch(
	{ tokens }: Functions,
	largeFunctions: PackingOptions['largeFunctions'],
	sharePrefixes: boolean,
	count: number,
): SampledEpoch {
	const packing: PackingOptions = {
		...{ length: LENGTH, packing: 'isolated', order: 'bestFit', maxFunctions: 200 },
		...{ largeFunctions, sharePrefixes },
	};
	const lengths = tokens.map((ids) => ids.length);
	const plan = packEpoch(lengths, packing, 1, 1, tokens);
	const step = Math.max(1, plan.packs.length / count);
	const taken = Math.min(count, plan.packs.length);
	const packs = Array.from({ length: taken }, (_, i) => plan.packs[Math.floor((i + 0.5) * step)]!);
	return { plan, packs, seconds: 0, tokens: 0 };
}

/** Forward and backward pass of a pack. */
function train(
	detector: Detector,
	{ rows, tokens, separator }: Functions,
	pieces: PackPlan['packs'][number],
): { seconds: number; tokens: number } {
	const pack = buildPack(pieces, tokens, separator, 'isolated');
	const labels = Int32Array.from(pack.functionIndex, (index) => rows[index]!.label);
	const weights = new Float32Array(labels.length).fill(1);
	const start = performance.now();
	trainOnPack(detector, pack, { labels, weights }, 1 / labels.length, 0, pass);
	return { seconds: (performance.now() - start) / 1000, tokens: pack.inputIds.length };
}
