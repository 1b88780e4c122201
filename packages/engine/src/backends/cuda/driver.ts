import { VulntuneError } from '../../errors.ts';
import { type ForeignFunctions, loadForeignFunctions } from '../foreign-functions.ts';

/** PTX of version 8.0 loads on drivers of CUDA 12.0 and newer. */
const oldestDriver = 12_000;
/** Codes of the driver API that have an error of their own here. */
const outOfMemory = 2;
const notSupported = 801;
/** Damaged memory; kernels' illegal addresses, time limit, asserts, errors of hardware, instructions and addresses, and whatever else. */
const lasting: ReadonlySet<number> = new Set([214, 700, 702, 710, 714, 715, 716, 717, 718, 719]);

type Pointer = unknown;
/** An address on the card or a count of bytes: below 2^53. */
type Size = number;

/** The part of the driver API that the backend uses; each returns 0 or the code of what went wrong. */
interface DriverFunctions {
	cuInit(flags: number): number;
	cuDriverGetVersion(version: [number]): number;
	cuDeviceGetCount(count: [number]): number;
	cuDeviceGet(device: [number], ordinal: number): number;
	cuDeviceGetName(name: Buffer, bytes: number, device: number): number;
	cuDeviceTotalMem_v2(bytes: [Size], device: number): number;
	cuDeviceGetAttribute(value: [number], attribute: number, device: number): number;
	cuDevicePrimaryCtxRetain(context: [Pointer], device: number): number;
	cuDevicePrimaryCtxRelease_v2(device: number): number;
	cuCtxSetCurrent(context: Pointer): number;
	cuCtxGetCurrent(context: [Pointer]): number;
	cuStreamCreate(stream: [Pointer], flags: number): number;
	cuStreamDestroy_v2(stream: Pointer): number;
	cuStreamSynchronize(stream: Pointer): number;
	cuModuleLoadData(module: [Pointer], image: Buffer): number;
	cuModuleUnload(module: Pointer): number;
	cuModuleGetFunction(kernel: [Pointer], module: Pointer, name: string): number;
	cuFuncSetAttribute(kernel: Pointer, attribute: number, value: number): number;
	cuMemAlloc_v2(address: [Size], bytes: Size): number;
	cuMemFree_v2(address: Size): number;
	cuMemAllocHost_v2(address: [Size], bytes: Size): number;
	cuMemFreeHost(address: Size): number;
	cuMemGetInfo_v2(free: [Size], total: [Size]): number;
	/** Host memory is named by what holds it, or by its address. */
	cuMemcpyHtoDAsync_v2(to: Size, from: ArrayBufferView | bigint, bytes: Size, stream: Pointer): number;
	cuMemcpyDtoHAsync_v2(to: ArrayBufferView | bigint, from: Size, bytes: Size, stream: Pointer): number;
	cuMemcpyDtoDAsync_v2(to: Size, from: Size, bytes: Size, stream: Pointer): number;
	cuMemsetD32Async(to: Size, value: number, count: Size, stream: Pointer): number;
	cuLaunchKernel(
		kernel: Pointer,
		...values: [
			...grid: [number, number, number],
			...block: [number, number, number],
			sharedBytes: number,
			stream: Pointer,
			parameters: BigUint64Array | null,
			extra: BigUint64Array | null,
		]
	): number;
	cuTensorMapEncodeTiled(
		map: Buffer,
		dataType: number,
		rank: number,
		address: Size,
		sizes: BigUint64Array,
		strides: BigUint64Array,
		box: Uint32Array,
		elementStrides: Uint32Array,
		interleave: number,
		swizzle: number,
		promotion: number,
		fill: number,
	): number;
	cuEventCreate(event: [Pointer], flags: number): number;
	cuEventDestroy_v2(event: Pointer): number;
	cuEventRecord(event: Pointer, stream: Pointer): number;
	cuStreamWaitEvent(stream: Pointer, event: Pointer, flags: number): number;
	cuEventSynchronize(event: Pointer): number;
	cuEventElapsedTime(milliseconds: [number], start: Pointer, end: Pointer): number;
	cuGetErrorString(code: number, text: [string]): number;
}

const prototypes: Readonly<Record<keyof DriverFunctions, string>> = {
	cuInit: 'uint32',
	cuDriverGetVersion: '_Out_ int*',
	cuDeviceGetCount: '_Out_ int*',
	cuDeviceGet: '_Out_ int*, int',
	cuDeviceGetName: 'void*, int, int',
	cuDeviceTotalMem_v2: '_Out_ size_t*, int',
	cuDeviceGetAttribute: '_Out_ int*, int, int',
	cuDevicePrimaryCtxRetain: '_Out_ void**, int',
	cuDevicePrimaryCtxRelease_v2: 'int',
	cuCtxSetCurrent: 'void*',
	cuCtxGetCurrent: '_Out_ void**',
	cuStreamCreate: '_Out_ void**, uint32',
	cuStreamDestroy_v2: 'void*',
	cuStreamSynchronize: 'void*',
	cuModuleLoadData: '_Out_ void**, void*',
	cuModuleUnload: 'void*',
	cuModuleGetFunction: '_Out_ void**, void*, const char*',
	cuFuncSetAttribute: 'void*, int, int',
	cuMemAlloc_v2: '_Out_ uint64*, size_t',
	cuMemFree_v2: 'uint64',
	cuMemAllocHost_v2: '_Out_ uint64*, size_t',
	cuMemFreeHost: 'uint64',
	cuMemGetInfo_v2: '_Out_ size_t*, _Out_ size_t*',
	cuMemcpyHtoDAsync_v2: 'uint64, void*, size_t, void*',
	cuMemcpyDtoHAsync_v2: 'void*, uint64, size_t, void*',
	cuMemcpyDtoDAsync_v2: 'uint64, uint64, size_t, void*',
	cuMemsetD32Async: 'uint64, uint32, size_t, void*',
	cuLaunchKernel: 'void*, uint32, uint32, uint32, uint32, uint32, uint32, uint32, void*, void*, void*',
	cuTensorMapEncodeTiled: 'void*, int, uint32, uint64, void*, void*, void*, void*, int, int, int, int',
	cuEventCreate: '_Out_ void**, uint32',
	cuEventDestroy_v2: 'void*',
	cuEventRecord: 'void*, void*',
	cuStreamWaitEvent: 'void*, void*, uint32',
	cuEventSynchronize: 'void*',
	cuEventElapsedTime: '_Out_ float*, void*, void*',
	cuGetErrorString: 'int, _Out_ const char**',
};

export const driverFunctions = Object.keys(prototypes) as readonly (keyof DriverFunctions)[];

/** The driver's functions, which throw instead of returning a code. */
export type Driver = {
	readonly [Name in keyof Omit<DriverFunctions, 'cuGetErrorString'>]: (
		...values: Parameters<DriverFunctions[Name]>
	) => void;
} & {
	/** The address of host memory, for arguments that hold one. */
	readonly addressOf: (bytes: Uint8Array) => bigint;
	/** So many bytes of what cuMemAllocHost gave, to be read and written until it is freed. */
	readonly hostMemory: (address: number, bytes: number) => Uint8Array;
};

/**
 * Loads libcuda, which NVIDIA's driver brings; the variable VULNTUNE_LIBCUDA names another.
 *
 * Throws CUDA_FFI_MISSING, CUDA_DRIVER_MISSING, CUDA_NO_DEVICE or CUDA_DRIVER_OLD (runtime).
 */
export function loadDriver(): Driver {
	const foreign = requireForeignFunctions();
	const file = process.env.VULNTUNE_LIBCUDA || (process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1');
	const functions = loadFunctions(foreign, file);
	const failed = functions.cuInit(0);
	if (failed !== 0) {
		throw unusableError(
			'CUDA_NO_DEVICE',
			`NVIDIA's driver finds no card (${describeCode(functions, failed)})`,
			'Look at what `nvidia-smi` says; in a container, pass the card on (`docker run --gpus all`).',
		);
	}
	const version: [number] = [0];
	functions.cuDriverGetVersion(version);
	if (version[0] < oldestDriver) {
		throw unusableError(
			'CUDA_DRIVER_OLD',
			`NVIDIA's driver is made for CUDA ${versionText(version[0])}, but ${versionText(oldestDriver)} is needed`,
			'Install driver 525 or newer.',
		);
	}
	return checked(functions, foreign);
}

/** `12.4` of 12040. */
export function versionText(version: number): string {
	return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

function requireForeignFunctions(): ForeignFunctions {
	try {
		return loadForeignFunctions();
	} catch (cause) {
		throw unusableError(
			'CUDA_FFI_MISSING',
			'the package koffi, which calls NVIDIA’s driver, is not installed for this platform',
			'Run `npm install` without `--omit=optional`.',
			cause,
		);
	}
}

function loadFunctions(foreign: ForeignFunctions, file: string): DriverFunctions {
	try {
		const library = foreign.load(file);
		/** An old driver lacks what it need not have for its version to be asked for. */
		const find = (prototype: string) => {
			try {
				return library.func(prototype);
			} catch {
				return () => notSupported;
			}
		};
		return Object.fromEntries(
			Object.entries(prototypes).map(([name, parameters]) => [name, find(`int ${name}(${parameters})`)]),
		) as unknown as DriverFunctions;
	} catch (cause) {
		throw unusableError(
			'CUDA_DRIVER_MISSING',
			`NVIDIA's driver is not there: ${file} could not be loaded`,
			'Install the driver (525 or newer; no CUDA toolkit is needed), or use backend.type: cpu.',
			cause,
		);
	}
}

function checked(functions: DriverFunctions, foreign: ForeignFunctions): Driver {
	const guarded = Object.entries(functions).map(([name, call]) => [
		name,
		(...values: unknown[]) => {
			const code = (call as (...values: unknown[]) => number)(...values);
			if (code === 0) return;
			throw code === outOfMemory
				? new CardMemoryExhausted()
				: new DriverFailure(`${name}: ${describeCode(functions, code)}`, code);
		},
	]);
	return {
		...Object.fromEntries(guarded),
		addressOf: (bytes: Uint8Array) => foreign.address(bytes),
		hostMemory: (address: number, bytes: number) => new Uint8Array(foreign.view(BigInt(address), bytes)),
	};
}

function describeCode(functions: DriverFunctions, code: number): string {
	const text: [string] = [''];
	functions.cuGetErrorString(code, text);
	return `${text[0] || 'unknown'}, code ${code}`;
}

const ofCard =
	'Start again from the last checkpoint (--resume); if it comes again, report it with the output of `nvidia-smi`.';

/** A card or its driver that failed: CUDA_FAILED (runtime). */
export function cardFailure(message: string, cause?: unknown): VulntuneError {
	return new VulntuneError({ code: 'CUDA_FAILED', kind: 'runtime', message, remedy: ofCard, cause });
}

/** What the driver answered; callers that know more say what they were about. */
export class DriverFailure extends VulntuneError {
	readonly answer: string;
	/** Whether a kernel that ran has ended all that this process may do on the card: it answers with this from then on. */
	readonly isLasting: boolean;

	constructor(answer: string, code: number) {
		super({
			code: 'CUDA_FAILED',
			kind: 'runtime',
			message: `NVIDIA's driver fails: ${answer}`,
			remedy: ofCard,
		});
		this.answer = answer;
		this.isLasting = lasting.has(code);
	}
}

/** The driver has no more memory; callers that know more say what for. */
export class CardMemoryExhausted extends VulntuneError {
	constructor() {
		super({
			code: 'OUT_OF_MEMORY',
			kind: 'resources',
			message: "NVIDIA's driver has no memory left on the card",
			remedy: 'Close what else uses the card (`nvidia-smi` shows it), or choose another (backend.device).',
		});
	}
}

/** A machine on which this backend can't run. */
export function unusableError(code: string, message: string, remedy: string, cause?: unknown): VulntuneError {
	return new VulntuneError({ code, kind: 'runtime', message, place: 'backend.type', remedy, cause });
}
