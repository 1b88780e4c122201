/**
 * Our side of the whole steps: `node bench/steps/own.ts '{"task": "lora", …}'`, a step for every line on the standard
 * input. The protocol is that of the peers.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { createCpuBackend, isKernel, profileBackend } from '@vulntune/engine';
import {
	classObjective,
	createDetector,
	createOptimizer,
	type PassOptions,
	scorePack,
	trainOnPack,
} from 'vulntune';
import type { StepProfile, StepResult } from './child.ts';
import { openModel } from './model.ts';
import { equalPacks, functionPacks } from './packs.ts';

export interface OwnStep {
	/** `lora`: forward, backward and AdamW of adapters and head; `forward`: the base and the head. */
	readonly task: 'lora' | 'forward';
	readonly base: 'fp32' | 'bf16' | 'nf4';
	readonly precision: 'fp32' | 'bf16';
	/** Tokens of a sequence. */
	readonly length: number;
	/** `packed`: functions as they come; a number: that many of equal length. */
	readonly functions: 'packed' | number;
	readonly isa: string;
	readonly threads: number;
	/** null: random weights. */
	readonly model: string | null;
	/** null: random functions. */
	readonly dataset: string | null;
}

const WARM_UP_STEPS = 2;

function say(message: unknown): void {
	process.stdout.write(`${JSON.stringify(message)}\n`);
}

async function serve(given: OwnStep): Promise<void> {
	const profile = profileBackend(createCpuBackend({ isa: given.isa, threads: given.threads }));
	const folder = openModel(given.model ?? undefined);
	const { vocabularySize } = folder.config;
	const packs =
		given.functions === 'packed'
			? await functionPacks(
					given.length,
					given.model ?? undefined,
					given.dataset ?? undefined,
					vocabularySize,
				)
			: equalPacks(given.length / given.functions, given.functions, vocabularySize);
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
		checkpointing: false,
	};
	let steps = 0;
	const step = (): StepResult => {
		const { pack, targets } = packs[steps % packs.length]!;
		steps += 1;
		profile.reset();
		const start = performance.now();
		if (given.task === 'forward') {
			scorePack(detector, pack, targets, pass);
		} else {
			trainOnPack(detector, pack, targets, 1 / targets.labels.length, steps, pass);
			optimizer.step(steps, 1e-4);
		}
		const milliseconds = performance.now() - start;
		return {
			seconds: milliseconds / 1000,
			tokens: pack.inputIds.length,
			peakBytes: peakBytes(),
			profile: profileOf(profile.times(), milliseconds),
		};
	};
	for (let warmUp = 0; warmUp < WARM_UP_STEPS; warmUp++) step();
	say({
		ready: {
			backend: profile.backend.description,
			weights: given.model === null ? 'random' : 'pretrained',
			functions:
				given.functions === 'packed' ? (given.dataset === null ? 'random' : 'real') : 'equal lengths',
			packs: packs.length,
		},
	});
	for await (const _ of createInterface({ input: process.stdin })) say(step());
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
