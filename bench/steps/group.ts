import type { Precision } from '@vulntune/engine';
import { type BenchRow, benchRow } from '../row.ts';
import { forwardOperationsPerToken, qwen15b, smolLm135m } from '../shapes.ts';
import type { StepResult } from './child.ts';
import type { ModelName } from './model.ts';
import type { OwnDescription, OwnStep } from './own.ts';

/** A setting of another program that is measured beside ours; what its settings mean stands at the top of its script. */
export interface PeerStep {
	readonly name: string;
	readonly script: 'llama.py' | 'llama_cpp_forward.py';
	readonly settings: object;
	/** Default: the 135M model. */
	readonly shape?: ModelName;
	/** It computes in bf16: without instructions for that it emulates them, and is run only where it is named. */
	readonly needsBf16: boolean;
}

/** The peers of a script that ran. */
interface PeerFigures {
	readonly peers: readonly { readonly name: string; readonly speed: number; readonly peakBytes: number }[];
	/** Why there are none. */
	readonly absent: string | undefined;
	/** Why one that a reader would expect is not among them. */
	readonly note: string | undefined;
}

/** What a group's steps gave. */
export interface StepFigures {
	/** Median tokens per second of a step of ours, by its key. */
	speed(key: string): number;
	results(key: string): readonly StepResult[];
	/** What a step process of ours says of itself. */
	description(key: string): OwnDescription;
	peersOf(script: PeerStep['script']): PeerFigures;
	/** Peak of what a precision computes in: operations per second, the median of the same rounds. */
	peak(precision: Precision): number;
}

/** Steps that are measured in turn, and the rows that come of them. */
export interface StepGroup {
	readonly rowNames: readonly string[];
	readonly optional?: boolean;
	/** Fewer than asked for, where a step takes long. */
	readonly maxRounds?: number;
	readonly own: Readonly<Record<string, StepSettings>>;
	readonly peers: readonly PeerStep[];
	rows(figures: StepFigures): BenchRow[];
}

type Surroundings = 'isa' | 'threads' | 'model' | 'dataset';
type Usual = 'shape' | 'checkpointing';
/** A step of ours: the 135M model without checkpointing where nothing else is said. */
export type StepSettings = Omit<OwnStep, Surroundings | Usual> & Partial<Pick<OwnStep, Usual>>;

const forwardOperations: Readonly<Record<ModelName, number>> = {
	'135m': forwardOperationsPerToken(smolLm135m),
	'1.5b': forwardOperationsPerToken(qwen15b),
};

/** Forward, and the gradient of every input; the frozen weights need none. */
function operationsPerToken(task: OwnStep['task'], shape: ModelName = '135m'): number {
	return (task === 'lora' ? 2 : 1) * forwardOperations[shape];
}

/** Tokens per second of the step `key` against the limit and the fastest peer. */
export function speedRow(
	name: string,
	{ task, shape, precision }: StepSettings,
	figures: StepFigures,
	script: PeerStep['script'] = 'llama.py',
	key = name,
): BenchRow {
	const { peers, absent, note } = figures.peersOf(script);
	const peer = peers.toSorted((a, b) => b.speed - a.speed)[0];
	return benchRow({
		name,
		value: figures.speed(key),
		unit: 'tokens/s',
		limit: figures.peak(precision) / operationsPerToken(task, shape),
		peer: peer && { name: peer.name, value: peer.speed },
		peerAbsent: absent,
		note: peer && note,
	});
}

/** Largest resident memory of the step `key` against the smallest of the peers. */
export function memoryRow(name: string, key: string, figures: StepFigures): BenchRow {
	const { peers, absent, note } = figures.peersOf('llama.py');
	const smallest = peers.toSorted((a, b) => a.peakBytes - b.peakBytes)[0];
	const peakBytes = Math.max(...figures.results(key).map((result) => result.peakBytes));
	return benchRow({
		name,
		value: peakBytes / 2 ** 20,
		unit: 'MiB',
		peer: smallest && { name: smallest.name, value: smallest.peakBytes / 2 ** 20 },
		peerAbsent: absent,
		note: smallest && note,
	});
}
