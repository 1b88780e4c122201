import { inputError } from '../../errors.ts';
import { type Driver, unusableError, versionText } from './driver.ts';

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

/** The card of that number. Throws CUDA_NO_DEVICE, CUDA_CARD_OLD (runtime) or CUDA_DEVICE (input). */
export function chooseCard(driver: Driver, ordinal: number): Card {
	const cards = listCards(driver);
	if (cards.length === 0) {
		throw unusableError('CUDA_NO_DEVICE', 'NVIDIA’s driver shows no card', 'Look at what `nvidia-smi` says.');
	}
	const card = cards[ordinal];
	if (card === undefined) {
		throw inputError(
			'CUDA_DEVICE',
			`there is no card ${ordinal}; this machine shows ${cards.length}: ${cards.map(({ name }, i) => `${i} ${name}`).join(', ')}`,
			{ place: 'backend.device', remedy: 'Choose one of these.' },
		);
	}
	if (card.capability < oldestCapability) {
		throw unusableError(
			'CUDA_CARD_OLD',
			`${card.name} has compute capability ${card.capability / 10}, but ${oldestCapability / 10}.0 is needed`,
			'Use a card of the Volta generation or newer, or backend.type: cpu.',
		);
	}
	return card;
}
