import { VulntuneError } from '../../errors.ts';
import type { View } from '../contract.ts';
import {
	type AddressedBuffer,
	createOwnedBuffers,
	type OwnedBuffers,
	programError,
} from '../owned-buffers.ts';
import { describe, isStrided, stridedError } from '../view.ts';
import { type Card, chooseCard } from './card.ts';
import { CardMemoryExhausted, type Driver, DriverFailure, loadDriver, unusableError } from './driver.ts';
import { createHostCopies, type HostCopies } from './host-copies.ts';
import { loadKernels, type TensorType } from './kernels.ts';
import { createLauncher, type Size3 } from './launch.ts';
import { cardMemory, createPool, type MemoryPool } from './pool.ts';
import { createStaging, type Staging } from './staging.ts';

/** A buffer in the card's memory. */
export type CudaBuffer = AddressedBuffer<CudaDevice>;

/** Memory for the time of one call; addresses are multiples of 256. */
export type TakeScratch = (bytes: number) => number;

/** What all groups of the backend's kernels share. */
export interface CudaDevice {
	readonly card: Card;
	/** What products under `precision: bf16` take on tensor cores; undefined where they run in float32. */
	readonly tensorType: TensorType | undefined;
	/** Whether Hopper's products are used. */
	readonly hasWarpGroups: boolean;
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

/** `mma` leaves Hopper's own products out. */
export type KernelChoice = 'auto' | 'mma';

/** Opens a card. Throws what `loadDriver` and `chooseCard` throw. */
export function createDevice(ordinal: number, kernels: KernelChoice = 'auto'): CudaDevice {
	const driver = loadDriver();
	return createDeviceOf(driver, chooseCard(driver, ordinal), kernels);
}

/** Opens a card of a driver. */
export function createDeviceOf(driver: Driver, card: Card, kernels: KernelChoice): CudaDevice {
	const context: [unknown] = [undefined];
	driver.cuDevicePrimaryCtxRetain(context, card.handle);
	driver.cuCtxSetCurrent(context[0]);
	const [stream, copyStream] = [createStream(driver), createStream(driver)];
	const module = compiledKernels(driver, card);
	const enqueue = createLauncher(driver, stream);
	let open = true;
	let lastKernel = 'no kernel';
	let waitedSeconds = 0;
	// what a kernel did wrong is said by whatever is asked of the card next
	const waiting =
		<Arguments extends readonly unknown[]>(call: (...given: Arguments) => void) =>
		(...given: Arguments): void => {
			const start = performance.now();
			try {
				call(...given);
			} catch (cause) {
				if (!(cause instanceof DriverFailure)) throw cause;
				throw failed(`the card failed in a kernel not later than ${lastKernel}`, cause);
			} finally {
				waitedSeconds += (performance.now() - start) / 1000;
			}
		};
	const copying: Driver = {
		...driver,
		cuMemcpyHtoDAsync_v2: waiting(driver.cuMemcpyHtoDAsync_v2),
		cuMemcpyDtoHAsync_v2: waiting(driver.cuMemcpyDtoHAsync_v2),
	};
	const synchronize = waiting(() => driver.cuStreamSynchronize(stream));
	const staging = createStaging(copying, stream, synchronize);
	const pool = createPool(cardMemory(driver), staging.finish);

	const device: CudaDevice = {
		card,
		tensorType: module.tensorType,
		hasWarpGroups: module.hasWarpGroups && kernels === 'auto',
		pool,
		get waitedSeconds() {
			return waitedSeconds;
		},
		driver,
		stream,
		get buffers() {
			return buffers;
		},
		get hostCopies() {
			return hostCopies;
		},
		address(view) {
			if (isStrided(view)) throw stridedError(view);
			return buffers.address(view);
		},
		floats(view) {
			if (view.dtype !== 'f32') {
				throw programError('CUDA_TYPE', `a kernel takes f32, but got ${describe(view)}`);
			}
			return device.address(view);
		},
		values(view) {
			elementTypeOf(view);
			return device.address(view);
		},
		columns(view) {
			elementTypeOf(view);
			return buffers.address(view);
		},
		optionalAddress: (view) => (view === undefined ? 0 : device.address(view)),
		launch(name, grid, threads, args, sharedBytes = 0) {
			if (!open) throw programError('BACKEND_CLOSED', 'the backend is used after close');
			lastKernel = name;
			try {
				enqueue(module.kernel(name, sharedBytes), grid, threads, sharedBytes, args);
			} catch (cause) {
				if (!(cause instanceof DriverFailure)) throw cause;
				throw failed(
					`the kernel ${name} could not be started (grid ${grid.join(' × ')}, ${threads} threads, arguments ${args.join(', ')})`,
					cause,
				);
			}
		},
		launchOver(name, items, args) {
			if (items > 0) device.launch(name, [Math.ceil(items / threadsPerBlock)], threadsPerBlock, args);
		},
		withScratch(what, work) {
			const taken: [address: number, bytes: number][] = [];
			try {
				return work((bytes) => {
					const address = memoryGuard(device, what, () => pool.take(bytes));
					taken.push([address, bytes]);
					return address;
				});
			} finally {
				for (const [address, bytes] of taken) pool.give(address, bytes);
			}
		},
		staging,
		close() {
			if (!open) return;
			open = false;
			for (const each of [stream, copyStream]) letCopiesArrive(driver, each);
			hostCopies.close();
			driver.cuStreamDestroy_v2(stream);
			staging.close();
			pool.close();
			module.unload();
			driver.cuDevicePrimaryCtxRelease_v2(card.handle);
		},
	};
	const take = (bytes: number, what: () => string) => memoryGuard(device, what, () => pool.take(bytes));
	const hostCopies: HostCopies = createHostCopies(device, copyStream, take);
	const buffers: OwnedBuffers = createOwnedBuffers(device, {
		isOpen: () => open,
		take,
		give: hostCopies.give,
	});
	return device;
}

function createStream(driver: Driver): unknown {
	const made: [unknown] = [undefined];
	driver.cuStreamCreate(made, 1); // CU_STREAM_NON_BLOCKING
	return made[0];
}

/** Before the host's memory is freed. What went wrong on the card was told where its results were waited for. */
function letCopiesArrive(driver: Driver, stream: unknown): void {
	try {
		driver.cuStreamSynchronize(stream);
	} catch (error) {
		if (!(error instanceof DriverFailure)) throw error;
	}
}

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

/** The kernels of a card; throws CUDA_KERNELS (runtime) where its driver can't compile them. */
function compiledKernels(driver: Driver, card: Card) {
	try {
		return loadKernels(driver, card.capability);
	} catch (cause) {
		if (!(cause instanceof DriverFailure)) throw cause;
		throw unusableError(
			'CUDA_KERNELS',
			`the driver of ${card.name} (CUDA ${card.driver}) can't compile the kernels: ${cause.message}`,
			'Install vulntune again, in case a file of it is damaged, and a newer driver if that changes nothing.',
			cause,
		);
	}
}

function failed(message: string, cause: unknown): VulntuneError {
	const reason = cause instanceof Error ? cause.message : String(cause);
	return new VulntuneError({
		code: 'CUDA_FAILED',
		kind: 'runtime',
		message: `${message}: ${reason}`,
		remedy:
			'Start again from the last checkpoint (--resume); if it comes again, report it with the output of `nvidia-smi`.',
		cause,
	});
}

/** Runs a call; memory of the card that is exhausted becomes an error of kind `resources`. */
function memoryGuard<Result>(device: CudaDevice, what: () => string, call: () => Result): Result {
	try {
		return call();
	} catch (cause) {
		if (!(cause instanceof CardMemoryExhausted)) throw cause;
		const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
		throw new VulntuneError({
			code: 'OUT_OF_MEMORY',
			kind: 'resources',
			message: `not enough memory on ${device.card.name} for ${what()} (${mebibytes(device.pool.reservedBytes)} of ${mebibytes(device.card.memoryBytes)} MiB in use)`,
			remedy:
				'Set training.checkpointing: true, a shorter sequence.length or a quantised base (method.base: nf4), or close what else uses the card.',
			cause,
		});
	}
}
