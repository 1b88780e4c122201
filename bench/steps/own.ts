/**
 * Our side of the whole steps: `node bench/steps/own.ts '{"task": "lora", …}'`, a step for every line on the standard
 * input. The protocol is that of the peers.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createCpuBackend, isKernel, type Precision, profileBackend } from '@vulntune/engine';
import {
	classObjective,
	createDetector,
	createOptimizer,
	type PassOptions,
	scorePack,
	trainOnPack,
} from 'vulntune';
import type { StepProfile, StepResult } from './child.ts';
import { type ModelName, openModel } from './model.ts';
import {
	type EpochPreparation,
	equalPacks,
	functionPacks,
	mixedPacks,
	SHORT_FUNCTION,
	type StepPacks,
} from './packs.ts';

export interface OwnStep {
	/** `lora`: forward, backward and AdamW of adapters and head; `forward`: the base and the head. */
	readonly task: 'lora' | 'forward';
	readonly base: 'fp32' | 'bf16' | 'nf4';
	readonly precision: Precision;
	/** Tokens of a sequence. */
	readonly length: number;
	readonly shape: ModelName;
	/** Trades time for memory: blocks are made again in the backward pass. */
	readonly checkpointing: boolean;
	/**
	 * `packed`: functions as they come; `short`: those of at most 300 tokens; `mixed`: a step goes over 32 functions of
	 * mixed lengths; a number: that many of equal length.
	 */
	readonly functions: 'packed' | 'short' | 'mixed' | number;
	readonly isa: string;
	readonly threads: number;
	/** null: random weights. */
	readonly model: string | null;
	/** null: random functions. */
	readonly dataset: string | null;
}

/** What a step process of ours says of itself. */
export interface OwnDescription {
	readonly backend: string;
	readonly weights: 'random' | 'pretrained';
	readonly functions: string;
	readonly packs: number;
	readonly preparation?: EpochPreparation;
}

/** Long steps need fewer: caches and clocks have settled within one. */
const warmUpSteps = (tokens: number) => (tokens > 2048 ? 1 : 2);

function say(message: unknown): void {
	process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function serve(given: OwnStep): Promise<void> {
	const profile = profileBackend(createCpuBackend({ isa: given.isa, threads: given.threads }));
	const folder = openModel(given.shape, given.model ?? undefined);
	const { vocabularySize } = folder.config;
	const { packs, preparation } = await packsOf(given, vocabularySize);
	const packsOfStep = given.functions === 'mixed' ? packs.length : 1;
	const detector = createDetector(profile.backend, folder, {
		method:
			given.task === 'forward'
				? { type: 'head' }
				: { type: 'lora', lora: { rank: 8, alpha: 32, dropout: 0, rsLora: false, targets: 'all-linear' } },
		base: given.base,
		doubleQuantization: true,
		head: { pool: 'last', hidden: null },
		maxPositions: given.length,
		seed: 1,
		start: undefined,
	});
	folder.close();
	const optimizer = createOptimizer(profile.backend, detector.parameters, { weightDecay: 0, clipNorm: 1 });
	const pass: PassOptions = {
		objective: classObjective,
		precision: given.precision,
		focal: { gamma: 0, gradient: 'full' },
		checkpointing: given.checkpointing,
	};
	let steps = 0;
	const step = (): StepResult => {
		steps += 1;
		const chosen = Array.from({ length: packsOfStep }, (_, i) => packs[(steps + i) % packs.length]!);
		profile.reset();
		const start = performance.now();
		for (const { pack, targets } of chosen) {
			if (given.task === 'forward') scorePack(detector, pack, pass, targets);
			else trainOnPack(detector, pack, targets, 1 / targets.labels.length, steps, pass);
		}
		if (given.task === 'lora') optimizer.step(steps, 1e-4);
		const milliseconds = performance.now() - start;
		return {
			seconds: milliseconds / 1000,
			tokens: chosen.reduce((sum, { pack }) => sum + pack.inputIds.length, 0),
			peakBytes: peakBytes(),
			profile: profileOf(profile.times(), milliseconds),
		};
	};
	for (let warmUp = 0; warmUp < warmUpSteps(given.length * packsOfStep); warmUp++) step();
	say({
		ready: {
			backend: profile.backend.description,
			weights: given.model === null ? 'random' : 'pretrained',
			functions: describeFunctions(given),
			packs: packs.length,
			...(preparation === undefined ? {} : { preparation }),
		} satisfies OwnDescription,
	});
	for await (const _ of createInterface({ input: process.stdin })) say(step());
}

async function packsOf(given: OwnStep, vocabularySize: number): Promise<StepPacks> {
	const { functions, length } = given;
	const without = { preparation: undefined };
	if (functions === 'mixed') return { packs: mixedPacks(length, vocabularySize), ...without };
	if (typeof functions === 'number') {
		return { packs: equalPacks(length / functions, functions, vocabularySize), ...without };
	}
	const [model, dataset] = [given.model ?? undefined, given.dataset ?? undefined];
	const longest = functions === 'short' ? SHORT_FUNCTION : length;
	return functionPacks(length, model, dataset, vocabularySize, longest);
}

function describeFunctions({ functions, dataset }: OwnStep): string {
	if (functions === 'mixed') return 'random, of mixed lengths';
	if (typeof functions === 'number') return 'equal lengths';
	return dataset === null ? 'random' : 'real';
}

function profileOf(
	times: ReturnType<ReturnType<typeof profileBackend>['times']>,
	milliseconds: number,
): StepProfile {
	const kernels = times.filter(({ method }) => isKernel(method));
	const inside = kernels.reduce((sum, kernel) => sum + kernel.milliseconds, 0);
	return {
		kernels: Object.fromEntries(kernels.map((kernel) => [kernel.method, kernel.milliseconds])),
		outside: 1 - inside / milliseconds,
	};
}

/** Largest resident memory of this process; Linux keeps it by program, elsewhere the parent's may be in it. */
function peakBytes(): number {
	if (process.platform === 'linux') {
		const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
		if (line !== null) return Number(line[1]) * 1024;
	}
	return process.resourceUsage().maxRSS * 1024;
}

await serve(JSON.parse(process.argv[2]!) as OwnStep);
