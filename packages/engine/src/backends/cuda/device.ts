import type { View } from '../contract.ts';
import { type AddressedBuffer, type OwnedBuffers, programError } from '../owned-buffers.ts';
import { describe } from '../view.ts';
import type { Card } from './card.ts';
import type { Driver } from './driver.ts';
import type { HostCopies } from './host-copies.ts';
import type { TensorType } from './kernels.ts';
import type { Size3 } from './launch.ts';
import type { MemoryPool } from './pool.ts';
import type { Staging } from './staging.ts';

/** A buffer in the card's memory. */
export type CudaBuffer = AddressedBuffer<CudaDevice>;

/** Memory for the time of one call; addresses are multiples of 256. */
export type TakeScratch = (bytes: number) => number;

/** `mma` leaves Hopper's own products out. */
export type KernelChoice = 'auto' | 'mma';

/** What all groups of the backend's kernels share. */
export interface CudaDevice {
	readonly card: Card;
	/** What products under `precision: bf16` take on tensor cores; undefined where they run in float32. */
	readonly tensorType: TensorType | undefined;
	/** Whether Hopper's products are used. */
	readonly hasWarpGroups: boolean;
	/** What was asked for. */
	readonly kernels: KernelChoice;
	readonly pool: MemoryPool;
	/** Copies to and from the host. What went wrong on the card is thrown where the host waits for one. */
	readonly staging: Staging;
	/** Views that are kept in the host's memory. */
	readonly hostCopies: HostCopies;
	/** Seconds that the host has waited for the card so far. */
	readonly waitedSeconds: number;
	readonly driver: Driver;
	/** Of the kernels. */
	readonly stream: unknown;
	readonly buffers: OwnedBuffers;
	/** Address of a view's first element; throws for what `OwnedBuffers` refuses, and for columns of a wider matrix. */
	address(view: View): number;
	/** The same of an f32 view. */
	floats(view: View): number;
	/** The same of a view of a type that activations may have. */
	values(view: View): number;
	/** The same of such a matrix that may be columns of a wider one: a kernel that takes it is given its row stride too. */
	columns(view: View): number;
	/** The same, or 0 for a view that isn't there. */
	optionalAddress(view: View | undefined): number;
	/** Enqueues a kernel. */
	launch(name: string, grid: Size3, threads: number, args: readonly number[], sharedBytes?: number): void;
	/** Enqueues a kernel with a thread for each of so many items. */
	launchOver(name: string, items: number, args: readonly number[]): void;
	/** Runs `work` with memory that is given back afterwards. */
	withScratch<Result>(what: () => string, work: (take: TakeScratch) => Result): Result;
	close(): void;
}

export const threadsPerBlock = 256;

/** The types that activations may have. */
export type ElementType = 'f32' | 'bf16';

/** The type of a view of activations; throws where they can't have it. */
export function elementTypeOf({ dtype, shape }: View): ElementType {
	if (dtype === 'f32' || dtype === 'bf16') return dtype;
	throw programError('CUDA_TYPE', `a kernel takes f32 or bf16, but got ${describe({ dtype, shape })}`);
}

/** Of each kernel for float32: put together once, since a name is looked up at each launch. */
const bfloat16Names = new Map<string, string>();

/** The kernel of that name for activations of a type (FOR_ELEMENTS in element.cuh). */
export function kernelOf(name: string, type: ElementType): string {
	if (type === 'f32') return name;
	const known = bfloat16Names.get(name);
	if (known !== undefined) return known;
	const made = `${name}Bf16`;
	bfloat16Names.set(name, made);
	return made;
}

/** The same for the type of these activations; throws where they don't all have one. */
export function kernelFor(name: string, first: View, ...others: readonly View[]): string {
	const type = elementTypeOf(first);
	for (let i = 0; i < others.length; i++) {
		if (others[i]!.dtype === type) continue;
		throw programError(
			'CUDA_TYPE',
			`the kernel ${name} takes tensors of one type, but got ${describe(first)} and ${describe(others[i]!)}`,
		);
	}
	return kernelOf(name, type);
}
