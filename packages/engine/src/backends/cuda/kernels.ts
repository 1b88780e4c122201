import { existsSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { type ArgumentLayout, layoutOf } from './argument-layout.ts';
import { type Driver, DriverFailure } from './driver.ts';

const folder = new URL('../../../cuda/', import.meta.url);

/** Compute capabilities that the package holds PTX for, highest first; a card runs the highest that it reaches. */
const compiledFor = [80, 75, 70] as const;

/** CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
const sharedLimitAttribute = 8;
/** What a launch may ask for without raising the limit of 48 KiB, in which a kernel's own variables lie too. */
const ordinaryShared = 40 * 1024;

/** What a kernel takes, one letter an argument: see native/cuda/signatures.mjs. */
type Signature = string;

export interface Kernel {
	readonly name: string;
	readonly layout: ArgumentLayout;
	readonly handle: unknown;
}

/** A type of 16 bits that tensor cores multiply. */
export type TensorType = 'bf16' | 'f16';

/** By the capability that kernels were compiled for. Volta's tensor cores have other instructions than all later ones, and no kernels here. */
const tensorTypes: Readonly<Record<(typeof compiledFor)[number], TensorType | undefined>> = {
	80: 'bf16',
	75: 'f16',
	70: undefined,
};

export interface KernelModule {
	/** A kernel that may use so much dynamic shared memory. */
	kernel(name: string, sharedBytes: number): Kernel;
	/** What products on tensor cores take; undefined where there are none. */
	readonly tensorType: TensorType | undefined;
	/** Whether there are products that whole groups of warps drive. */
	readonly hasWarpGroups: boolean;
	unload(): void;
}

interface KernelList {
	/** Of all modules but Hopper's own. */
	readonly signatures: Readonly<Record<string, Signature>>;
	/** Which of these a module has no use for, by its name. */
	readonly absent: Readonly<Record<string, readonly string[]>>;
	/** Of compute_90a.ptx. */
	readonly hopper: Readonly<Record<string, Signature>>;
}

/** The capability whose cards alone run compute_90a.ptx. */
const hopperCapability = 90;

/** Loads the kernels for a card; what its driver has to compile, it keeps for the next time. */
export function loadKernels(driver: Driver, capability: number): KernelModule {
	const target = compiledFor.find((compiled) => compiled <= capability)!;
	const { signatures, absent, hopper } = JSON.parse(
		readFileSync(new URL('kernels.json', folder), 'utf8'),
	) as KernelList;
	const hasWarpGroups = capability === hopperCapability;
	const moduleName = `compute_${target}`;
	const module = loadModule(driver, moduleName, capability);
	// its products are wanted by some runs only
	let hopperModule: unknown;
	const known = new Map<string, { readonly kernel: Kernel; sharedLimit: number }>();

	function find(name: string) {
		const ofHopper = Object.hasOwn(hopper, name) && hasWarpGroups;
		const signature = ofHopper ? hopper[name] : signatures[name];
		if (signature === undefined || (!ofHopper && absent[moduleName]!.includes(name))) {
			throw new TypeError(`there is no CUDA kernel ${name} in ${moduleName}`);
		}
		if (ofHopper) hopperModule ??= loadModule(driver, 'compute_90a', capability);
		const handle: [unknown] = [undefined];
		driver.cuModuleGetFunction(handle, ofHopper ? hopperModule : module, name);
		const found = {
			kernel: { name, layout: layoutOf(signature), handle: handle[0] },
			sharedLimit: ordinaryShared,
		};
		known.set(name, found);
		return found;
	}

	return {
		tensorType: tensorTypes[target],
		hasWarpGroups,
		kernel(name, sharedBytes) {
			const found = known.get(name) ?? find(name);
			if (sharedBytes > found.sharedLimit) {
				driver.cuFuncSetAttribute(found.kernel.handle, sharedLimitAttribute, sharedBytes);
				found.sharedLimit = sharedBytes;
			}
			return found.kernel;
		},
		unload() {
			driver.cuModuleUnload(module);
			if (hopperModule !== undefined) driver.cuModuleUnload(hopperModule);
		},
	};
}

/**
 * A module as machine code of the card, where the package has it and the driver takes it (an old one may not), else as PTX, which the driver
 * compiles.
 */
function loadModule(driver: Driver, name: string, capability: number): unknown {
	const card = capability === hopperCapability ? '90a' : capability;
	const cubin = new URL(`${name}.sm_${card}.cubin.br`, folder);
	if (existsSync(cubin)) {
		try {
			return loadImage(driver, brotliDecompressSync(readFileSync(cubin)));
		} catch (error) {
			if (!(error instanceof DriverFailure)) throw error;
		}
	}
	return loadImage(driver, Buffer.concat([readFileSync(new URL(`${name}.ptx`, folder)), Buffer.alloc(1)]));
}

function loadImage(driver: Driver, image: Buffer): unknown {
	const module: [unknown] = [undefined];
	driver.cuModuleLoadData(module, image);
	return module[0];
}
