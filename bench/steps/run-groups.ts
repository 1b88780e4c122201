import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { interleave } from '../interleave.ts';
import type { Peaks } from '../machine.ts';
import type { BenchOptions } from '../options.ts';
import type { BenchRow } from '../row.ts';
import { type StepProcess, type StepResult, startSteps } from './child.ts';
import { type PeerStep, type StepGroup, stepGroups } from './groups.ts';
import { pretrainedFolder, smolLmConfig } from './model.ts';
import type { OwnStep } from './own.ts';

const benchFolder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Where the time of a step of ours goes. */
export interface StepShares {
	readonly name: string;
	/** Share of the step's time in each kernel, by the backend's method; the largest first. */
	readonly kernels: Readonly<Record<string, number>>;
	readonly outside: number;
}

/** A peer of the run. */
export interface PeerFigure {
	readonly name: string;
	readonly tokensPerSecond: number;
	readonly peakBytes: number;
	readonly description: unknown;
}

export interface StepReport {
	readonly rows: readonly BenchRow[];
	readonly steps: readonly StepShares[];
	readonly peers: readonly PeerFigure[];
	/** What our steps ran on. */
	readonly inputs: unknown;
}

/** Runs the groups of which a row is wanted, one after the other; within a group all steps take turns. */
export async function stepRows(
	peaks: Peaks,
	options: BenchOptions,
	log: (text: string) => void,
): Promise<StepReport> {
	const rows: BenchRow[] = [];
	const steps = new Map<string, StepShares>();
	const peers: PeerFigure[] = [];
	let inputs: unknown;
	for (const group of stepGroups) {
		if (!group.rowNames.some((name) => options.wants(name))) continue;
		const report = await runGroup(group, peaks, options, log);
		rows.push(...report.rows.filter(({ name }) => options.wants(name)));
		for (const shares of report.steps) steps.set(shares.name, shares);
		peers.push(...report.peers);
		inputs = report.inputs;
	}
	return { rows, steps: [...steps.values()], peers, inputs };
}

interface Running {
	readonly name: string;
	readonly process: StepProcess;
	readonly results: StepResult[];
}

async function runGroup(
	group: StepGroup,
	peaks: Peaks,
	options: BenchOptions,
	log: (text: string) => void,
): Promise<StepReport> {
	const own: Running[] = [];
	const peers: Running[] = [];
	try {
		for (const [name, settings] of Object.entries(group.own)) {
			const started = await startOwn({ ...settings, ...surroundings(options) });
			if ('skipped' in started) throw new Error(`${name}: ${started.skipped}`);
			own.push({ name, process: started, results: [] });
		}
		const { running, absent } = await startPeers(group, options, log);
		peers.push(...running);

		const measured = [...own, ...peers].map(({ name, process, results }) => ({
			name,
			async measure() {
				const result = await process.step();
				results.push(result);
				return result.tokens / result.seconds;
			},
		}));
		const peak = { name: 'peak', measure: () => peaks.rate('bf16') };
		const medians = await interleave([peak, ...measured], options.rounds, (round) =>
			log(`${group.rowNames[0]}: round ${round} of ${options.rounds}`),
		);
		const peerFigures = peers.map(({ name, process, results }) => ({
			name,
			tokensPerSecond: medians.get(name)!,
			peakBytes: Math.max(...results.map((result) => result.peakBytes)),
			description: process.description,
		}));
		return {
			rows: group.rows({
				speed: (key) => medians.get(key)!,
				results: (key) => own.find(({ name }) => name === key)!.results,
				peers: peerFigures.map(({ name, tokensPerSecond: speed, peakBytes }) => ({ name, speed, peakBytes })),
				peerAbsent: absent,
				peak: medians.get('peak')!,
			}),
			steps: own.map(({ name, results }) => sharesOf(name, results)),
			peers: peerFigures,
			inputs: own[0]?.process.description,
		};
	} finally {
		for (const { process } of [...own, ...peers]) await process.close();
	}
}

function surroundings({
	isa,
	threads,
}: BenchOptions): Pick<OwnStep, 'isa' | 'threads' | 'model' | 'dataset'> {
	const shared = process.env.VULNTUNE_SHARED ?? path.join(benchFolder, '..', '..', 'shared');
	const dataset = path.join(shared, 'data', 'x1-without-p3');
	const model = pretrainedFolder() ?? null;
	// without the model there is no tokenizer for the functions
	const isReal = model !== null && existsSync(path.join(dataset, 'train.jsonl'));
	return { isa, threads, model, dataset: isReal ? dataset : null };
}

function startOwn(step: OwnStep) {
	return startSteps(process.execPath, [path.join(benchFolder, 'steps', 'own.ts'), JSON.stringify(step)]);
}

/** Those of a group's peers that run here, and why the others don't. */
async function startPeers(
	group: StepGroup,
	options: BenchOptions,
	log: (text: string) => void,
): Promise<{ readonly running: Running[]; readonly absent: string | undefined }> {
	const python = process.env.VULNTUNE_PYTHON;
	if (python === undefined) return { running: [], absent: 'VULNTUNE_PYTHON is not set' };
	const running: Running[] = [];
	let absent: string | undefined;
	for (const peer of group.peers.filter(({ name }) => options.wantsPeer(name))) {
		log(`starting ${peer.name}, ${peer.batch} x ${peer.length} tokens`);
		const started = await startPeer(python, peer, options.threads);
		if ('skipped' in started) {
			log(`${peer.name}: skipped, ${started.skipped}`);
			absent ??= started.skipped;
		} else {
			running.push({ name: peer.name, process: started, results: [] });
		}
	}
	return { running, absent: absent ?? 'none was asked for' };
}

function startPeer(python: string, peer: PeerStep, threads: number) {
	const given = { ...peer, threads, config: smolLmConfig, folder: pretrainedFolder() ?? null };
	return startSteps(python, [path.join(benchFolder, 'peers', 'llama.py'), JSON.stringify(given)]);
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
