import { type BackendChoice, type Checkpointing, createBackend, VulntuneError } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { chosenCheckpointing } from '../scoring/scoring-options.ts';
import { measureFlops } from '../sizing/measure-speed.ts';
import { chooseCardFor } from '../training/choose-card.ts';
import type { RehearsedRun } from '../training/rehearse.ts';
import {
	availableBytes,
	cardMemory,
	fitInto,
	memoryOf,
	neededBy,
	type RunMemory,
} from '../training/run-memory.ts';
import { cardGigabytes } from '../training/what-fits.ts';

/** How a run would fit on a card of a size that is sold. */
export interface PlannedCard {
	/** 10⁹ bytes. */
	readonly gigabytes: number;
	readonly fits: boolean;
	readonly checkpointing: Checkpointing;
	/** What the run takes there. */
	readonly bytes: number;
}

/** The machine of a plan, and what the run takes of it. */
export interface PlannedMachine {
	readonly backend: string;
	readonly memoryBytes: RunMemory;
	readonly checkpointing: Checkpointing;
	/** null where the card that the config asks for isn't here. */
	readonly availableBytes: number | null;
	readonly cards: readonly PlannedCard[];
	/** What the machine's products reach; null where it isn't here. */
	readonly flopsPerSecond: number | null;
}

/** Looks at what would compute a run here, and at what cards could. */
export function planMachine(config: Config, run: RehearsedRun, note: (line: string) => void): PlannedMachine {
	const onCard = memoryOf(run, cardMemory);
	const { checkpointing: setting } = config.training;
	const cards = cardGigabytes.map((gigabytes): PlannedCard => {
		const { memory, checkpointing, fits } = fitInto(gigabytes * 1e9, setting, onCard);
		return { gigabytes, fits, checkpointing, bytes: memory.total };
	});
	const { card, line } = config.backend.type === 'auto' ? chooseCardFor(config, run) : {};
	if (line !== undefined) note(line);
	const choice: BackendChoice = card === undefined ? config.backend : { ...config.backend, type: 'cuda' };
	try {
		const backend = createBackend(choice, () => {});
		try {
			const available = availableBytes(backend);
			const { memory, checkpointing } = fitInto(available, setting, neededBy(backend, run));
			const flopsPerSecond = measureFlops(backend, config.training.precision);
			return {
				backend: `${backend.name} (${backend.description})`,
				...{ memoryBytes: memory, checkpointing, availableBytes: available, cards, flopsPerSecond },
			};
		} finally {
			backend.close();
		}
	} catch (error) {
		// a plan for a card is made where there is none; whatever else isn't here is an error, as for a run
		if (choice.type !== 'cuda' || !(error instanceof VulntuneError) || error.kind !== 'runtime') throw error;
		const checkpointing = chosenCheckpointing(setting);
		return {
			backend: `cuda, which is not here: ${error.summary}`,
			...{ memoryBytes: onCard(checkpointing), checkpointing, availableBytes: null, cards },
			flopsPerSecond: null,
		};
	}
}
