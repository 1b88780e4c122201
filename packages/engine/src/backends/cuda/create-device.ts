import { VulntuneError } from '../../errors.ts';
import { createOwnedBuffers, type OwnedBuffers, programError } from '../owned-buffers.ts';
import { describe, isStrided, stridedError } from '../view.ts';
import { type Card, chooseCard } from './card.ts';
import { cardFailures } from './card-failure.ts';
import { type CudaDevice, elementTypeOf, type KernelChoice, threadsPerBlock } from './device.ts';
import { CardMemoryExhausted, type Driver, DriverFailure, loadDriver, unusableError } from './driver.ts';
import { createHostCopies, type HostCopies } from './host-copies.ts';
import { loadKernels } from './kernels.ts';
import { createLauncher } from './launch.ts';
import { cardMemory, createPool } from './pool.ts';
import { createStaging } from './staging.ts';

/** Opens a card. Throws what `loadDriver` and `chooseCard` throw. */
export function createDevice(ordinal: number, kernels: KernelChoice = 'auto'): CudaDevice {
	const driver = loadDriver();
	return createDeviceOf(driver, chooseCard(driver, ordinal), kernels);
}

/** Opens a card of a driver. */
export function createDeviceOf(driver: Driver, card: Card, kernels: KernelChoice): CudaDevice {
	const { stream, copyStream, module } = openCard(driver, card);
	const enqueue = createLauncher(driver, stream);
	let open = true;
	let lastKernel = 'no kernel';
	const failures = cardFailures(() => lastKernel);
	const telling = failures.telling(driver);
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
				throw failures.tell(cause, `the card failed in a kernel not later than ${lastKernel}`);
			} finally {
				waitedSeconds += (performance.now() - start) / 1000;
			}
		};
	const copying: Driver = {
		...telling,
		cuMemcpyHtoDAsync_v2: waiting(driver.cuMemcpyHtoDAsync_v2),
		cuMemcpyDtoHAsync_v2: waiting(driver.cuMemcpyDtoHAsync_v2),
	};
	const synchronize = waiting(() => driver.cuStreamSynchronize(stream));
	const staging = createStaging(copying, stream, synchronize);
	const pool = createPool(cardMemory(telling), staging.finish);

	const device: CudaDevice = {
		card,
		tensorType: module.tensorType,
		hasWarpGroups: module.hasWarpGroups && kernels === 'auto',
		kernels,
		pool,
		get waitedSeconds() {
			return waitedSeconds;
		},
		driver: telling,
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
				throw failures.tell(
					cause,
					`the kernel ${name} could not be started (grid ${grid.join(' × ')}, ${threads} threads, arguments ${args.join(', ')})`,
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
			if ([stream, copyStream].every((each) => settles(driver, each))) {
				hostCopies.close();
				driver.cuStreamDestroy_v2(stream);
				staging.close();
				pool.close();
				module.unload();
			}
			// frees what a card that failed refuses to free
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

/** Waits for a stream before the memory that it uses is freed; whether the card is well. Nobody waits any more for what it failed at. */
function settles(driver: Driver, stream: unknown): boolean {
	try {
		driver.cuStreamSynchronize(stream);
		return true;
	} catch (error) {
		if (!(error instanceof DriverFailure)) throw error;
		return false;
	}
}

/** Makes a card this thread's own. Throws CUDA_KERNELS, CUDA_FAILED (runtime) or OUT_OF_MEMORY where it can't be. */
function openCard(driver: Driver, card: Card) {
	const context: [unknown] = [undefined];
	try {
		driver.cuDevicePrimaryCtxRetain(context, card.handle);
	} catch (cause) {
		if (!(cause instanceof DriverFailure)) throw cause;
		throw unusableError(
			'CUDA_FAILED',
			`${card.name} can't be opened: ${cause.answer}`,
			'Look with `nvidia-smi` at what else uses it, choose another card (backend.device), or use backend.type: cpu.',
			cause,
		);
	}
	try {
		driver.cuCtxSetCurrent(context[0]);
		const [stream, copyStream] = [createStream(driver), createStream(driver)];
		return { stream, copyStream, module: compiledKernels(driver, card) };
	} catch (error) {
		driver.cuDevicePrimaryCtxRelease_v2(card.handle);
		throw error;
	}
}

/** The kernels of a card; throws CUDA_KERNELS (runtime) where its driver can't compile them. */
function compiledKernels(driver: Driver, card: Card) {
	try {
		return loadKernels(driver, card.capability);
	} catch (cause) {
		if (!(cause instanceof DriverFailure)) throw cause;
		throw unusableError(
			'CUDA_KERNELS',
			`the driver of ${card.name} (CUDA ${card.driver}) can't compile the kernels: ${cause.answer}`,
			'Install vulntune again, in case a file of it is damaged, and a newer driver if that changes nothing.',
			cause,
		);
	}
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
				'Set training.checkpointing: true (or host), a shorter sequence.length or a quantised base (method.base: nf4), or close what else uses the card.',
			cause,
		});
	}
}
