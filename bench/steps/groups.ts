import { type BenchRow, benchRow, type Condition } from '../row.ts';
import { forwardOperationsPerToken, smolLm135m } from '../shapes.ts';
import type { StepResult } from './child.ts';
import type { OwnStep } from './own.ts';

/** A setting of PyTorch that is measured beside ours; `bench/peers/llama.py` says what the fields mean. */
export interface PeerStep {
	readonly name: string;
	readonly task: 'lora' | 'forward';
	readonly base: 'fp32' | 'bf16' | 'nf4-fp32' | 'nf4-bf16';
	readonly compiled: boolean;
	readonly batch: number;
	readonly length: number;
}

/** What a group's steps gave. */
export interface StepFigures {
	/** Median tokens per second of a step of ours, by its key. */
	speed(key: string): number;
	results(key: string): readonly StepResult[];
	readonly peers: readonly { readonly name: string; readonly speed: number; readonly peakBytes: number }[];
	/** Why `peers` is empty. */
	readonly peerAbsent: string | undefined;
	/** Peak of the arithmetic that bf16 computes in: operations per second, the median of the same rounds. */
	readonly peak: number;
}

/** Steps that are measured in turn, and the rows that come of them. */
export interface StepGroup {
	readonly rowNames: readonly string[];
	readonly own: Readonly<Record<string, StepSettings>>;
	readonly peers: readonly PeerStep[];
	rows(figures: StepFigures): BenchRow[];
}

export type StepSettings = Pick<OwnStep, 'task' | 'base' | 'precision' | 'length' | 'functions'>;

const forward = forwardOperationsPerToken(smolLm135m);
/** Forward, and the gradient of every input; the frozen weights need none. */
const OPERATIONS = { forward, lora: 2 * forward };

const lora = (length: number, base: OwnStep['base'] = 'bf16'): StepSettings => ({
	task: 'lora',
	base,
	precision: 'bf16',
	length,
	functions: 'packed',
});

function loraPeers(batch: number): PeerStep[] {
	return [
		{ name: 'PyTorch + PEFT fp32', base: 'fp32' as const, compiled: false },
		{ name: 'PyTorch + PEFT fp32 torch.compile', base: 'fp32' as const, compiled: true },
		{ name: 'PyTorch + PEFT bf16', base: 'bf16' as const, compiled: false },
		{ name: 'PyTorch + PEFT bf16 torch.compile', base: 'bf16' as const, compiled: true },
	].map((peer) => ({ ...peer, task: 'lora', batch, length: 128 }));
}

const best = (figures: StepFigures) => figures.peers.toSorted((a, b) => b.speed - a.speed)[0];

function speedRow(
	name: string,
	key: string,
	task: keyof typeof OPERATIONS,
	figures: StepFigures,
	target: readonly Condition[],
): BenchRow {
	const peer = best(figures);
	return benchRow({
		name,
		value: figures.speed(key),
		unit: 'tokens/s',
		limit: figures.peak / OPERATIONS[task],
		peer: peer && { name: peer.name, value: peer.speed },
		peerAbsent: figures.peerAbsent,
		target,
	});
}

function loraGroup(length: 512 | 1024): StepGroup {
	const name = `lora-step-135m-bf16-t${length}`;
	const sharesOverhead = length === 512;
	return {
		rowNames: [name, ...(sharesOverhead ? ['outside-kernels-share'] : [])],
		own: { [name]: lora(length) },
		peers: loraPeers(length / 128),
		rows(figures) {
			const row = speedRow(name, name, 'lora', figures, [
				{ of: 'limit', atLeast: 0.7 },
				{ of: 'peer', atLeast: 2 },
			]);
			if (!sharesOverhead) return [row];
			const outside = figures.results(name).map(({ profile }) => profile!.outside);
			const value = outside.toSorted((a, b) => a - b)[Math.floor(outside.length / 2)]!;
			const target = [{ of: 'value' as const, atMost: 0.03 }];
			return [row, benchRow({ name: 'outside-kernels-share', value, unit: 'of a step', target })];
		},
	};
}

const quantized = 'qlora-step-135m-nf4-t512';
const plain = 'lora-step-135m-bf16-t512';

/** The quantised base beside the plain one, so that their ratio is of one run. */
const qloraGroup: StepGroup = {
	rowNames: [quantized, 'peak-rss-qlora-135m', 'qlora-of-lora-135m-t512'],
	own: { [quantized]: lora(512, 'nf4'), [plain]: lora(512) },
	peers: (['fp32', 'bf16'] as const).map((type) => ({
		name: `PEFT + bitsandbytes ${type}`,
		task: 'lora' as const,
		base: `nf4-${type}` as const,
		compiled: false,
		batch: 4,
		length: 128,
	})),
	rows(figures) {
		const smallest = figures.peers.toSorted((a, b) => a.peakBytes - b.peakBytes)[0];
		const peakBytes = Math.max(...figures.results(quantized).map((result) => result.peakBytes));
		return [
			speedRow(quantized, quantized, 'lora', figures, [
				{ of: 'limit', atLeast: 0.66 },
				{ of: 'peer', atLeast: 3 },
			]),
			benchRow({
				name: 'peak-rss-qlora-135m',
				value: peakBytes / 2 ** 20,
				unit: 'MiB',
				peer: smallest && { name: smallest.name, value: smallest.peakBytes / 2 ** 20 },
				peerAbsent: figures.peerAbsent,
				target: [{ of: 'peer', atMost: 0.35 }],
			}),
			benchRow({
				name: 'qlora-of-lora-135m-t512',
				value: figures.speed(quantized) / figures.speed(plain),
				unit: 'of the bf16 base',
				target: [{ of: 'value', atLeast: 0.95 }],
			}),
		];
	},
};

/** The same lengths as the peer's, and packs of functions. */
const forwardGroup: StepGroup = {
	rowNames: ['forward-135m-bf16', 'forward-135m-bf16-packed'],
	own: {
		'forward-135m-bf16': { task: 'forward', base: 'bf16', precision: 'bf16', length: 512, functions: 4 },
		'forward-135m-bf16-packed': { ...lora(512), task: 'forward' },
	},
	peers: (['fp32', 'bf16'] as const).map((base) => ({
		name: `PyTorch ${base} torch.compile`,
		task: 'forward' as const,
		base,
		compiled: true,
		batch: 4,
		length: 128,
	})),
	rows: (figures) => [
		speedRow('forward-135m-bf16', 'forward-135m-bf16', 'forward', figures, [
			{ of: 'limit', atLeast: 0.8 },
			{ of: 'peer', atLeast: 1.2 },
		]),
		speedRow(
			'forward-135m-bf16-packed',
			'forward-135m-bf16-packed',
			'forward',
			{ ...figures, peers: [], peerAbsent: 'it has no packs' },
			[{ of: 'limit', atLeast: 0.8 }],
		),
	],
};

export const stepGroups: readonly StepGroup[] = [loraGroup(512), loraGroup(1024), qloraGroup, forwardGroup];
