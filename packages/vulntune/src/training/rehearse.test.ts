import path from 'node:path';
import {
	type Backend,
	createDryBackend,
	createDryCardBackend,
	createReferenceBackend,
	type MemoryUse,
	openModelFolder,
	viewOf,
} from '@vulntune/engine';
import { createStandInBackend, prepareStandIn } from '@vulntune/engine/backends/cuda/testing/stand-in.ts';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { alone } from '../communication/communicator.ts';
import type { Config } from '../config/schema.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import { createDetectorOf } from '../scoring/configured-detector.ts';
import { scorePack, trainOnPack } from '../scoring/micro-batch.ts';
import { chosenCheckpointing } from '../scoring/scoring-options.ts';
import { knownModel } from '../sizing/model-shape.ts';
import { createGradientSum } from './gradient-sum.ts';
import { createOptimizer } from './optimizer.ts';
import { type RehearsedRun, rehearse } from './rehearse.ts';
import { fullestPacks, fullPacks, rehearsedRun } from './rehearsed-run.ts';
import { cardMemory, fitInto, hostMemory, memoryOf, neededBy } from './run-memory.ts';
import { adapterMemory } from './what-fits.ts';

const { missing } = await prepareStandIn();
const root = temporaryFolder();
const tiny = writeTinyModel(path.join(root, 'tiny'));
const wide = writeTinyModel(path.join(root, 'wide'), {
	...tinyShapes.llama,
	...{ hidden_size: 128, intermediate_size: 352, num_hidden_layers: 3 },
});
const answers = { question: [5, 6], yes: [9], no: [7] };

const kinds: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	'QLoRA in NF4': { 'method.type': 'qlora', 'method.base': 'nf4' },
	'QLoRA in int8, checkpointing': {
		...{ 'method.type': 'qlora', 'method.base': 'int8', 'training.checkpointing': 'true' },
	},
	'LoRA, checkpointing on the host': { 'method.base': 'fp32', 'training.checkpointing': 'host' },
	'QLoRA in a quantile codebook': { 'method.type': 'qlora', 'method.base': 'quantile3' },
	'LoRA in bf16, arithmetic too': { 'method.base': 'bf16', 'training.precision': 'bf16' },
	'full, the next token': { 'method.type': 'full', 'method.dropout': '0', objective: 'nextToken' },
	'full, moments in 8 bits': {
		...{ 'method.type': 'full', 'method.dropout': '0', 'training.optimizer': 'adamw8bit' },
	},
	'the head, mean and maximum, hidden': { 'method.type': 'head', 'head.pool': 'meanMax', 'head.hidden': '7' },
};

function runOf(config: Config, folder: ReturnType<typeof openModelFolder>): RehearsedRun {
	const { checkpointing, precision } = config.training;
	const objective = config.objective === 'class' ? classObjective : nextTokenObjective(answers);
	const focal = { gamma: 1, gradient: 'full' } as const;
	const pass = { objective, precision, focal, checkpointing: chosenCheckpointing(checkpointing) };
	const packs = { trained: fullPacks(24).trained, scored: fullPacks(40).trained };
	return rehearsedRun(config, folder, pass, packs);
}

/** What the same steps take where they are computed. */
function taken(backend: Backend, config: Config, folder: ReturnType<typeof openModelFolder>): MemoryUse {
	const { pass, packs } = runOf(config, folder);
	const detector = createDetectorOf(config, backend, folder);
	const optimizer = createOptimizer(backend, detector.parameters, {
		...{ name: config.training.optimizer, weightDecay: 0, clipNorm: 1 },
	});
	createGradientSum(optimizer, alone);
	const targets = ({ functionIndex: { length } }: typeof packs.trained) => ({
		labels: new Int32Array(length),
		weights: new Float32Array(length).fill(1),
	});
	for (let step = 1; step <= 2; step++) {
		trainOnPack(detector, packs.trained, targets(packs.trained), 1, step, pass);
		optimizer.step(step, 1e-3);
		scorePack(detector, packs.scored, pass, targets(packs.scored));
	}
	const memory = backend.memory();
	backend.close();
	return memory;
}

function configOf(model: string, overrides: Readonly<Record<string, string>>): Config {
	return tinyConfig({ model, data: 'none', output: '/o' }, { 'sequence.length': '48', ...overrides });
}

/** All that is downloaded there are the same zeros, which nothing may write into. */
function isAllZeros(dry: Backend): boolean {
	const values = dry.download(viewOf(dry.allocate('f32', 4096), [4096]));
	return values.every((value) => value === 0);
}

it.each(Object.entries(kinds))('%s takes on a computer what was rehearsed', (_, overrides) => {
	const folder = openModelFolder(tiny);
	const config = configOf(tiny, overrides);
	const dry = createDryBackend();
	const { base, trained, activations } = rehearse(dry, runOf(config, folder));
	expect(isAllZeros(dry)).toBe(true);
	// the reference backend composes what other kernels have in one
	const { peakBytes } = taken(createReferenceBackend(), config, folder);
	expect((base + trained + activations) / peakBytes).toBeGreaterThan(0.9);
	expect(base + trained + activations).toBeLessThanOrEqual(peakBytes);
	folder.close();
});

it
	.skipIf(missing !== undefined)
	.each([
		...Object.entries(kinds).map(([kind, overrides]) => [kind, 80, tiny, overrides] as const),
		...[75, 80].map(
			(capability) =>
				[
					'a wider model',
					capability,
					wide,
					{ ...kinds['QLoRA in NF4'], 'training.precision': 'bf16' },
				] as const,
		),
	])(
	'%s takes on a card of capability %i what was rehearsed, to the byte',
	(_, capability, model, overrides) => {
		const folder = openModelFolder(model);
		const config = configOf(model, overrides);
		const card = { name: 'dry', capability, multiprocessors: 1, memoryBytes: 2 ** 30 };
		const dry = createDryCardBackend(card);
		const found = rehearse(dry, runOf(config, folder));
		expect(isAllZeros(dry)).toBe(true);
		const { peakBytes, pool, host } = taken(createStandInBackend({ capability }), config, folder);
		expect(found.base + found.trained + found.activations).toBe(peakBytes);
		expect(found.total).toBe(pool!.peakHeldBytes);
		expect(found.onHost).toBe(host!.heldBytes);
		folder.close();
	},
);

it.skipIf(missing !== undefined)('a backend of a card is asked what a run takes with its own kernels', () => {
	const folder = openModelFolder(wide);
	const run = runOf(configOf(wide, { ...kinds['QLoRA in NF4'], 'training.precision': 'bf16' }), folder);
	const kind = { name: 'stand-in', capability: 75, multiprocessors: 1 };
	const backend = createStandInBackend({ capability: 75 });
	expect(neededBy(backend, run)(false)).toEqual(cardMemory(run, kind));
	// float16 products keep the largest of each line besides
	expect(neededBy(backend, run)(false).total).not.toBe(cardMemory(run).total);
	backend.close();
	expect(neededBy(createReferenceBackend(), run)(false)).toEqual(hostMemory(run));
	folder.close();
});

describe('the memory of a run', () => {
	const known = knownModel('SmolLM2-135M')!;
	const qlora = { 'method.type': 'qlora', 'method.base': 'nf4', 'method.rank': '8' };
	const config = configOf('SmolLM2-135M', {
		...{ ...qlora, 'sequence.length': '512' },
		'training.precision': 'bf16',
	});
	const run = rehearsedRun(
		config,
		{ config: known },
		{
			objective: classObjective,
			precision: 'bf16',
			focal: { gamma: 1, gradient: 'full' },
			checkpointing: false,
		},
		fullPacks(512),
	);

	it('is near the 1155 MiB that a run of SmolLM2 held', () => {
		expect(hostMemory(run).total / 2 ** 20 / 1155).toBeCloseTo(1, 1);
	});

	it('has what the heap of a computer keeps for smaller packs; a card gives that back', () => {
		const { trained, scored } = run.packs;
		const alone = { ...run, packs: { trained, scored } };
		const [whole, fullest] = [hostMemory(run), hostMemory(alone)];
		expect(whole.kept / fullest.kept).toBeGreaterThan(2);
		expect([whole.base, whole.trained, whole.activations]).toEqual([
			...[fullest.base, fullest.trained, fullest.activations],
		]);
		expect(cardMemory(run)).toEqual(cardMemory(alone));
	});

	it('of scoring alone is less, with lines more', () => {
		const { trained, scored } = run.packs;
		const scoring = hostMemory({ ...run, packs: { scored } });
		const lines = hostMemory({ ...run, packs: { scored, explained: trained } });
		expect(scoring.activations).toBeLessThan(lines.activations);
		// values and gradients, no sum of them, no moments, and no checkpoint
		expect(scoring.trained).toBe((2 / 5) * hostMemory(run).trained);
		expect(scoring.around).toBe(hostMemory(run).around - hostMemory(run).trained);
	});

	it('is that of a few layers and their like', () => {
		const { total } = hostMemory({
			...run,
			detector: { ...run.detector, head: { pool: 'last', hidden: null } },
		});
		expect(adapterMemory(known, 'qlora', 'host', false).total / total).toBeCloseTo(1, 1);
	});

	it('is within 11 GB for 13 billion parameters at 2,048 tokens on a card, with half the activations of fp32', () => {
		const known = knownModel('codellama-13b')!;
		const large = (precision: 'bf16' | 'fp32') =>
			cardMemory(
				rehearsedRun(
					configOf('codellama-13b', { ...qlora, 'sequence.length': '2048' }),
					{ config: known },
					{ ...run.pass, precision, checkpointing: true },
					fullPacks(2048),
				),
			);
		const [narrow, wide] = [large('bf16'), large('fp32')];
		expect(narrow.total).toBeLessThan(11e9);
		expect(wide.activations / narrow.activations).toBeCloseTo(2, 1);
	});

	it('turns to checkpointing only where it must and may', () => {
		const onCard = memoryOf(run, cardMemory);
		const [plain, less, least] = [onCard(false).total, onCard(true).total, onCard('host').total];
		expect(less).toBeLessThan(plain);
		expect(least).toBeLessThan(less);
		expect(fitInto(plain, 'auto', onCard)).toMatchObject({ checkpointing: false, fits: true });
		expect(fitInto(plain - 1, 'auto', onCard)).toMatchObject({ checkpointing: true, fits: true });
		expect(fitInto(plain - 1, false, onCard)).toMatchObject({ checkpointing: false, fits: false });
		expect(fitInto(plain, true, onCard)).toMatchObject({ checkpointing: true, fits: true });
		expect(fitInto(less - 1, 'auto', onCard)).toMatchObject({ checkpointing: 'host', fits: true });
		expect(fitInto(less - 1, true, onCard)).toMatchObject({ checkpointing: true, fits: false });
		expect(fitInto(least - 1, 'auto', onCard)).toMatchObject({ checkpointing: 'host', fits: false });
		// where memory is the host's own there is nothing to gain
		const onComputer = memoryOf(run, hostMemory);
		expect(fitInto(1, 'auto', onComputer)).toMatchObject({ checkpointing: true, fits: false });
	});
});

it('takes the fullest pack of training, and of scoring in its own order', () => {
	const functions = (...lengths: readonly number[]) => ({
		lengths: Int32Array.from(lengths),
		tokens: lengths.map((length) => new Int32Array(length)),
	});
	const packs = (sequencesPerPass: number) =>
		fullestPacks(
			{ train: functions(20, 9, 29), valid: functions(300, 200) },
			{
				packing: {
					length: 31,
					packing: 'isolated',
					order: 'bestFit',
					maxFunctions: 9,
					largeFunctions: 'ignore',
				},
				tokens: { leading: [], separator: 0, suffix: [] },
			},
			sequencesPerPass,
		);
	const { trained, scored, lesser } = packs(1);
	expect(packs(2).trained.inputIds).toHaveLength(31 + 30);
	expect(packs(2).scored).toEqual(scored);
	expect(trained.inputIds).toHaveLength(31);
	expect(trained.functionIndex).toHaveLength(2);
	expect(lesser!.trained.map(({ inputIds }) => inputIds.length)).toEqual([30]);
	// cut to the length of a sequence, since no function is left out of scoring
	expect(scored.inputIds.length).toBeLessThanOrEqual(62);
	expect(scored.functionIndex).toHaveLength(2);
});
