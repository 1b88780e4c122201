/** How often the host waits for a card: twice in a step, once for a pack that is scored. Counted by the stand-in for libcuda. */
import path from 'node:path';
import { openModelFolder } from '@vulntune/engine';
import {
	createStandInBackend,
	hostWaits,
	prepareStandIn,
} from '@vulntune/engine/backends/cuda/testing/stand-in.ts';
import { expect, it } from 'vitest';
import { temporaryFolder, tinyConfig, writeTinyModel } from '../../../../tests/tiny.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import { createDetectorOf } from '../scoring/configured-detector.ts';
import { type PassOptions, scorePack, startPack } from '../scoring/micro-batch.ts';
import { createOptimizer } from './optimizer.ts';
import { fullPacks } from './rehearsed-run.ts';
import { initialRunState, type RunState } from './state.ts';
import type { Task } from './task.ts';
import { train } from './trainer.ts';

const { missing } = await prepareStandIn();
const tiny = writeTinyModel(path.join(temporaryFolder(), 'tiny'));
const answers = { question: [5, 6], yes: [9], no: [7] };

it.skipIf(missing !== undefined).each([
	['QLoRA', { 'method.type': 'qlora', 'method.base': 'nf4' }],
	['checkpointing in bf16', { 'training.checkpointing': 'true', 'training.precision': 'bf16' }],
	['full, the next token', { 'method.type': 'full', 'method.dropout': '0', objective: 'nextToken' }],
] as const)('%s: two waits a step of several packs, one a scored pack', async (_, overrides) => {
	const config = tinyConfig(
		{ model: tiny, data: 'none', output: '/o' },
		{ 'sequence.length': '48', ...overrides },
	);
	const folder = openModelFolder(tiny);
	const { precision, checkpointing } = config.training;
	const backend = createStandInBackend();
	const detector = createDetectorOf(config, backend, folder);
	folder.close();
	const optimizer = createOptimizer(backend, detector.parameters, { weightDecay: 0, clipNorm: 1 });
	const pass: PassOptions = {
		objective: config.objective === 'class' ? classObjective : nextTokenObjective(answers),
		...{ precision, checkpointing: checkpointing === true, focal: { gamma: 1, gradient: 'full' } },
	};
	const pack = fullPacks(24).trained;
	const targets = {
		labels: pack.functionIndex.map((_, f) => f % 2),
		weights: new Float32Array(pack.functionIndex.length).fill(1),
	};
	const packs = 6;
	const task: Task<RunState> = {
		packs: () => packs,
		isFinished: (state) => state.packs === packs,
		train(index) {
			const losses = startPack(detector, pack, targets, 1, index, pass);
			return { loss: () => losses()[0]!, tokens: pack.inputIds.length };
		},
		betweenPacks: () => true,
	};
	const afterSteps: number[] = [];
	const losses: number[] = [];
	await train(
		task,
		optimizer,
		{
			accumulation: 2,
			schedule: { schedule: 'linear', learningRate: 1e-3, warmupSteps: 0, totalSteps: 3 },
			checkpointEverySteps: null,
		},
		initialRunState(),
		{
			progress() {},
			record({ loss }) {
				losses.push(loss);
				afterSteps.push(hostWaits());
			},
			checkpoint() {},
			interrupted: () => false,
		},
	);
	// the first step asks for memory
	expect(afterSteps[2]! - afterSteps[1]!).toBe(2);
	expect(losses.every((loss) => loss > 0)).toBe(true);

	scorePack(detector, pack, pass, targets);
	const before = hostWaits();
	scorePack(detector, pack, pass, targets);
	scorePack(detector, pack, pass);
	expect(hostWaits() - before).toBe(2);
	backend.close();
});
