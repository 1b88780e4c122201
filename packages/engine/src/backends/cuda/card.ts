import { inputError, VulntuneError } from '../../errors.ts';
import {
	CardMemoryExhausted,
	type Driver,
	DriverFailure,
	loadDriver,
	unusableError,
	versionText,
} from './driver.ts';

/** One card, as its driver describes it. */
export interface Card {
	readonly ordinal: number;
	readonly name: string;
	/** 80 for compute capability 8.0. */
	readonly capability: number;
	readonly memoryBytes: number;
	readonly multiprocessors: number;
	/** `12.4`: the CUDA version of the driver. */
	readonly driver: string;
	/** The driver's handle. */
	readonly handle: number;
}

/** CUdevice_attribute */
const attributes = { multiprocessors: 16, capabilityMajor: 75, capabilityMinor: 76 } as const;
/** Volta: the first with independent threads in a warp, which the kernels count on. */
const oldestCapability = 70;

/** All cards that the driver shows. */
export function listCards(driver: Driver): readonly Card[] {
	const count: [number] = [0];
	driver.cuDeviceGetCount(count);
	const version: [number] = [0];
	driver.cuDriverGetVersion(version);
	return Array.from({ length: count[0] }, (_, ordinal) => {
		const handle: [number] = [0];
		driver.cuDeviceGet(handle, ordinal);
		const name = Buffer.alloc(256);
		driver.cuDeviceGetName(name, name.length, handle[0]);
		const memory: [number] = [0];
		driver.cuDeviceTotalMem_v2(memory, handle[0]);
		const attribute = (which: number) => {
			const value: [number] = [0];
			driver.cuDeviceGetAttribute(value, which, handle[0]);
			return value[0];
		};
		return {
			ordinal,
			name: name.toString('utf8', 0, name.indexOf(0)),
			capability: 10 * attribute(attributes.capabilityMajor) + attribute(attributes.capabilityMinor),
			memoryBytes: Number(memory[0]),
			multiprocessors: attribute(attributes.multiprocessors),
			driver: versionText(version[0]),
			handle: handle[0],
		};
	});
}

/** What a machine shows of its cards. */
export interface CardSearch {
	readonly cards: readonly FoundCard[];
	/** Why there is none; undefined where there are some. */
	readonly missing: VulntuneError | undefined;
}

/** A card and whether it can be used. */
export type FoundCard = Omit<Card, 'handle'> & {
	/** undefined where the card doesn't say. */
	readonly freeBytes: number | undefined;
	/** Why it can't run the kernels; undefined where it can. */
	readonly unusable: string | undefined;
};

/** All cards, or why there are none; throws nothing. */
export function findCards(): CardSearch {
	try {
		const driver = loadDriver();
		const cards = listCards(driver);
		if (cards.length === 0) return { cards: [], missing: noCard() };
		const found = cards.map(({ handle, ...card }): FoundCard => {
			const freeBytes = freeMemory(driver, handle);
			return { ...card, freeBytes, unusable: isOld(card) ? oldText(card) : undefined };
		});
		return { cards: found, missing: undefined };
	} catch (error) {
		if (!(error instanceof VulntuneError)) throw error;
		return { cards: [], missing: error };
	}
}

/** What no process holds; undefined where the driver opens no context, as on a card that one process has for itself. */
function freeMemory(driver: Driver, handle: number): number | undefined {
	const [before, context]: [[unknown], [unknown]] = [[null], [undefined]];
	try {
		driver.cuCtxGetCurrent(before);
		driver.cuDevicePrimaryCtxRetain(context, handle);
		try {
			driver.cuCtxSetCurrent(context[0]);
			const [free, total]: [[number], [number]] = [[0], [0]];
			driver.cuMemGetInfo_v2(free, total);
			return Number(free[0]);
		} finally {
			// a backend that this thread has open goes on with its own
			driver.cuCtxSetCurrent(before[0]);
			driver.cuDevicePrimaryCtxRelease_v2(handle);
		}
	} catch (error) {
		if (error instanceof DriverFailure || error instanceof CardMemoryExhausted) return undefined;
		throw error;
	}
}

const isOld = ({ capability }: Pick<Card, 'capability'>) => capability < oldestCapability;

function oldText({ name, capability }: Pick<Card, 'name' | 'capability'>): string {
	return `${name} has compute capability ${capabilityText(capability)}, but ${capabilityText(oldestCapability)} is needed`;
}

/** `8.0` of 80. */
export function capabilityText(capability: number): string {
	return (capability / 10).toFixed(1);
}

function noCard(): VulntuneError {
	return unusableError('CUDA_NO_DEVICE', 'NVIDIA’s driver shows no card', 'Look at what `nvidia-smi` says.');
}

/** The card of that number. Throws CUDA_NO_DEVICE, CUDA_CARD_OLD (runtime) or CUDA_DEVICE (input). */
export function chooseCard(driver: Driver, ordinal: number): Card {
	const cards = listCards(driver);
	if (cards.length === 0) throw noCard();
	const card = cards[ordinal];
	if (card === undefined) {
		throw inputError(
			'CUDA_DEVICE',
			`there is no card ${ordinal}; this machine shows ${cards.length}: ${cards.map(({ name }, i) => `${i} ${name}`).join(', ')}`,
			{ place: 'backend.device', remedy: 'Choose one of these.' },
		);
	}
	if (isOld(card)) {
		throw unusableError(
			'CUDA_CARD_OLD',
			oldText(card),
			'Use a card of the Volta generation or newer, or backend.type: cpu.',
		);
	}
	return card;
}
