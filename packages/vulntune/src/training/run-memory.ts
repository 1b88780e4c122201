import {
	type Backend,
	type Checkpointing,
	createDryBackend,
	createDryCardBackend,
	type DryCard,
} from '@vulntune/engine';
import { availableMemory } from '../sizing/memory.ts';
import { rehearsalKey } from './rehearsal-key.ts';
import { type RehearsedMemory, type RehearsedWork, rehearse } from './rehearse.ts';

/** Bytes that a run needs on the machine that computes: what was rehearsed, and what is there besides. */
export interface RunMemory extends Omit<RehearsedMemory, 'total'> {
	/** Of a process: Node, rows, tokenizer, baselines and a checkpoint while it is written. Of a card: its driver's own. */
	readonly around: number;
	readonly total: number;
}

/** Of a run without a model, rows, n-grams and report included: what a run of n-grams on X1 held at most. */
const PROCESS_BYTES = 322 * 2 ** 20;
/** What an H200 lacked once the kernels were loaded (docs/gpu). */
const DRIVER_BYTES = 555e6;
/** What 32-bit addresses reach. */
const WASM_BYTES = 2 ** 32;
/** Copies of everything that is trained in the moment of a checkpoint: 0.8 where all 135 million weights of SmolLM2 were. */
const CHECKPOINT_COPIES = 1;

/** What a run needs of a computer's memory. */
export function hostMemory(run: RehearsedWork): RunMemory {
	const rehearsed = rehearseOnce('host', run, createDryBackend);
	const copies = run.packs.trained === undefined ? 0 : CHECKPOINT_COPIES;
	return withAround(rehearsed, PROCESS_BYTES + copies * rehearsed.trained);
}

/** A card as far as its kernels go, and with them the memory that they take besides their operands. */
export type CardKind = Omit<DryCard, 'memoryBytes'>;

/** One of the kernels that most cards run. */
const anyCard: CardKind = { name: 'a card', capability: 80, multiprocessors: 100 };

/** What a run needs of a card's memory, whatever that has. */
export function cardMemory(
	run: RehearsedWork,
	{ name, capability, multiprocessors }: CardKind = anyCard,
): RunMemory {
	// its pool gives unused blocks back before memory runs out: what it keeps of smaller packs is not needed
	const { lesser: _kept, ...packs } = run.packs;
	const unlimited = { name, capability, multiprocessors, memoryBytes: Number.MAX_SAFE_INTEGER };
	const rehearsed = rehearseOnce(JSON.stringify(unlimited), { ...run, packs }, () =>
		createDryCardBackend(unlimited),
	);
	return withAround(rehearsed, DRIVER_BYTES);
}

const rehearsals = new Map<string, RehearsedMemory>();

/** A rehearsal of a large model takes a second, and the cells of a grid mostly differ in what takes no memory. */
function rehearseOnce(machine: string, run: RehearsedWork, open: () => Backend): RehearsedMemory {
	const key = `${machine} ${rehearsalKey(run)}`;
	const memory = rehearsals.get(key) ?? rehearse(open(), run);
	rehearsals.set(key, memory);
	return memory;
}

function withAround({ total, ...parts }: RehearsedMemory, around: number): RunMemory {
	return { ...parts, around, total: total + around };
}

/** The same run with or without keeping the activations of one block at a time. */
function withCheckpointing(run: RehearsedWork, checkpointing: Checkpointing): RehearsedWork {
	return { ...run, pass: { ...run.pass, checkpointing } };
}

/** What a run may use of the memory that a backend computes in, its driver's own included. */
export function availableBytes(backend: Backend): number {
	const { card } = backend.memory();
	if (card !== undefined) return card.totalBytes - card.usedBytes + DRIVER_BYTES;
	return backend.name === 'wasm' ? Math.min(availableMemory(), WASM_BYTES) : availableMemory();
}

/** What a run takes on a backend. */
export function neededBy(backend: Backend, run: RehearsedWork): MemoryOf {
	const { card } = backend.hardware;
	if (card === undefined) return memoryOf(run, hostMemory);
	const { name, capability, multiprocessors } = card;
	const kind = { name, capability: Math.round(10 * Number(capability)), multiprocessors };
	return memoryOf(run, (one) => cardMemory(one, kind));
}

/** What a run takes of a memory, and how. */
export interface Fit<Memory = RunMemory> {
	readonly memory: Memory;
	readonly checkpointing: Checkpointing;
	readonly fits: boolean;
}

/** Memory of a run by whether it keeps the activations of one block at a time; computed when it is asked for. */
export type MemoryOf<Memory = RunMemory> = (checkpointing: Checkpointing) => Memory;

/**
 * How a run fits into so many bytes: as its config says, or where that leaves it open, with checkpointing only if it doesn't without, and with
 * blocks' inputs on the host only if that is too much.
 */
export function fitInto<Memory extends { readonly total: number }>(
	availableBytes: number,
	setting: 'auto' | Checkpointing,
	memoryOf: MemoryOf<Memory>,
): Fit<Memory> {
	if (setting !== 'auto') return fitOf(setting);
	let least = fitOf(false);
	for (const checkpointing of [true, 'host'] as const) {
		if (least.fits) break;
		const fit = fitOf(checkpointing);
		if (fit.memory.total < least.memory.total) least = fit;
	}
	return least;

	function fitOf(checkpointing: Checkpointing): Fit<Memory> {
		const memory = memoryOf(checkpointing);
		return { memory, checkpointing, fits: memory.total <= availableBytes };
	}
}

export function memoryOf(run: RehearsedWork, memory: (run: RehearsedWork) => RunMemory): MemoryOf {
	return once((checkpointing) => memory(withCheckpointing(run, checkpointing)));
}

/** Each answer once. */
export function once<Memory>(memoryOf: MemoryOf<Memory>): MemoryOf<Memory> {
	const known = new Map<Checkpointing, Memory>();
	return (checkpointing) => {
		const found = known.get(checkpointing) ?? memoryOf(checkpointing);
		known.set(checkpointing, found);
		return found;
	};
}
