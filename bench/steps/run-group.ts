import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuFeatures } from '@vulntune/engine';
import { datasetFolder, pretrainedFolder } from '../inputs.ts';
import { interleave } from '../interleave.ts';
import type { BenchOptions } from '../options.ts';
import type { BenchContext, Section, SectionReport, StepShares } from '../section.ts';
import { type StepProcess, type StepResult, startSteps } from './child.ts';
import type { PeerStep, StepGroup, StepSettings } from './group.ts';
import { modelConfigs } from './model.ts';
import type { OwnDescription, OwnStep } from './own.ts';

const benchFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** A group as a section of the bench: within it all steps take turns. */
export function stepSection(group: StepGroup): Section {
	const { rowNames, optional = false } = group;
	return { rowNames, optional, run: (context) => runGroup(group, context) };
}

interface Running {
	readonly name: string;
	readonly process: StepProcess;
	readonly results: StepResult[];
}

async function runGroup(group: StepGroup, { options, peaks, log }: BenchContext): Promise<SectionReport> {
	const own: Running[] = [];
	const peers: Running[] = [];
	try {
		for (const [name, settings] of Object.entries(group.own)) {
			log(`starting ${name}`);
			const started = await startOwn({ ...usual, ...settings, ...surroundings(settings, options) });
			if ('skipped' in started) throw new Error(`${name}: ${started.skipped}`);
			own.push({ name, process: started, results: [] });
		}
		const started = await startPeers(group, options, log);
		peers.push(...started.running);

		const ended = new Map<Running, string>();
		const measured = [...own, ...peers].map((running) => ({
			name: running.name,
			async measure() {
				if (ended.has(running)) return Number.NaN;
				try {
					const result = await running.process.step();
					running.results.push(result);
					return result.tokens / result.seconds;
				} catch (error) {
					// without a peer the others still compare
					if (own.includes(running)) throw error;
					ended.set(running, (error as Error).message);
					log(`${running.name}: ${(error as Error).message}`);
					return Number.NaN;
				}
			},
		}));
		const precisions = [...new Set(Object.values(group.own).map(({ precision }) => precision))];
		const limits = precisions.map((precision) => ({
			name: `peak ${precision}`,
			measure: () => peaks.rate(precision),
		}));
		const rounds = Math.min(options.rounds, group.maxRounds ?? options.rounds);
		const medians = await interleave([...limits, ...measured], rounds, (round) =>
			log(`${group.rowNames[0]}: round ${round} of ${rounds}`),
		);
		const ownStep = (key: string) => own.find(({ name }) => name === key)!;
		const lasting = peers.filter((peer) => !ended.has(peer));
		const peerFigures = lasting.map(({ name, process, results }) => ({
			name,
			tokensPerSecond: medians.get(name)!,
			peakBytes: Math.max(...results.map((result) => result.peakBytes)),
			description: process.description,
		}));
		return {
			rows: group.rows({
				speed: (key) => medians.get(key)!,
				results: (key) => ownStep(key).results,
				description: (key) => ownStep(key).process.description as OwnDescription,
				peersOf: (script) => ({
					peers: peerFigures
						.filter(({ name }) => scriptOf(group, name) === script)
						.map(({ name, tokensPerSecond: speed, peakBytes }) => ({ name, speed, peakBytes })),
					absent: started.absent.get(script) ?? [...ended.values()][0] ?? 'none was asked for',
					note: started.note,
				}),
				peak: (precision) => medians.get(`peak ${precision}`)!,
			}),
			steps: own.map(({ name, results }) => sharesOf(name, results)),
			peers: peerFigures,
			inputs: own[0]?.process.description,
		};
	} finally {
		for (const { process } of [...own, ...peers]) await process.close();
	}
}

const usual = { shape: '135m', checkpointing: false } as const;

function surroundings(
	{ shape = '135m' }: StepSettings,
	{ isa, threads }: BenchOptions,
): Pick<OwnStep, 'isa' | 'threads' | 'model' | 'dataset'> {
	const model = (shape === '135m' ? pretrainedFolder() : undefined) ?? null;
	// without the model there is no tokenizer for the functions
	const dataset = model === null ? null : (datasetFolder() ?? null);
	return { isa, threads, model, dataset };
}

function startOwn(step: OwnStep) {
	return startSteps(process.execPath, [path.join(benchFolder, 'steps', 'own.ts'), JSON.stringify(step)]);
}

interface StartedPeers {
	readonly running: Running[];
	/** By script: why one is not there. */
	readonly absent: ReadonlyMap<PeerStep['script'], string>;
	/** What all that run have in common. */
	readonly note: string | undefined;
}

/** Those of a group's peers that run here, and why the others don't. */
async function startPeers(
	group: StepGroup,
	options: BenchOptions,
	log: (text: string) => void,
): Promise<StartedPeers> {
	const running: Running[] = [];
	const absent = new Map<PeerStep['script'], string>();
	const python = process.env.VULNTUNE_PYTHON;
	if (python === undefined) {
		for (const { script } of group.peers) absent.set(script, 'VULNTUNE_PYTHON is not set');
		return { running, absent, note: undefined };
	}
	const emulates = !hasBf16Instructions();
	let isLeftOut = false;
	for (const peer of group.peers) {
		if (!options.wantsPeer(peer.name, peer.needsBf16 && emulates)) {
			isLeftOut ||= peer.needsBf16 && emulates;
			continue;
		}
		log(`starting ${peer.name}`);
		const started = await startPeer(python, peer, options.threads);
		if ('skipped' in started) {
			log(`${peer.name}: skipped, ${started.skipped}`);
			if (!absent.has(peer.script)) absent.set(peer.script, started.skipped);
		} else {
			running.push({ name: peer.name, process: started, results: [] });
		}
	}
	const note = 'this machine has no bf16 instructions and PyTorch would emulate them: it computes in fp32';
	return { running, absent, note: isLeftOut ? note : undefined };
}

function scriptOf(group: StepGroup, peer: string): PeerStep['script'] | undefined {
	return group.peers.find(({ name }) => name === peer)?.script;
}

/** PyTorch in bf16 is many times slower than in fp32 where the instructions must be emulated. */
function hasBf16Instructions(): boolean {
	return cpuFeatures().instructionSets.some(({ name, supported }) => name === 'avx512bf16' && supported);
}

function startPeer(python: string, { script, settings, shape = '135m' }: PeerStep, threads: number) {
	const folder = (shape === '135m' ? pretrainedFolder() : undefined) ?? null;
	const given = { ...settings, threads, config: modelConfigs[shape], folder };
	return startSteps(python, [path.join(benchFolder, 'peers', script), JSON.stringify(given)]);
}

function sharesOf(name: string, results: readonly StepResult[]): StepShares {
	const total = 1000 * results.reduce((sum, { seconds }) => sum + seconds, 0);
	const kernels = new Map<string, number>();
	for (const { profile } of results) {
		for (const [kernel, milliseconds] of Object.entries(profile!.kernels)) {
			kernels.set(kernel, (kernels.get(kernel) ?? 0) + milliseconds / total);
		}
	}
	const inside = [...kernels.values()].reduce((sum, share) => sum + share, 0);
	return {
		name,
		kernels: Object.fromEntries([...kernels].sort(([, a], [, b]) => b - a)),
		outside: 1 - inside,
	};
}
