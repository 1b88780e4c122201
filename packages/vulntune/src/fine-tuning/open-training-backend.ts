import type { Backend, BackendChoice } from '@vulntune/engine';
import type { Processes } from '../communication/communicator.ts';
import type { Config } from '../config/schema.ts';
import { openRunBackend, recordedChoice } from '../run/run-backend.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { chooseCardFor } from '../training/choose-card.ts';
import type { RehearsedRun } from '../training/rehearse.ts';

/**
 * The backend of a training: on a card where the config leaves it open, no earlier run decided it and the run fits there. Several
 * processes compute on cards only where they are asked to.
 */
export function openTrainingBackend(
	config: Config,
	earlier: RunFolder | undefined,
	choice: BackendChoice,
	sizes: RehearsedRun,
	{ size }: Processes,
	note: (line: string) => void,
): Backend {
	const isOpen = size === 1 && choice.type === 'auto' && recordedChoice(earlier, choice).type === undefined;
	const { card, line } = isOpen ? chooseCardFor(config, sizes) : {};
	if (line !== undefined) note(line);
	return openRunBackend(earlier, card === undefined ? choice : { ...choice, type: 'cuda' }, note);
}
