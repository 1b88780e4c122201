import type { Backend } from '@vulntune/engine';
import { formatBytes } from '../terminal/format.ts';
import type { RehearsedRun } from './rehearse.ts';
import { availableBytes, fitInto, neededBy } from './run-memory.ts';

/**
 * Whether a run keeps the activations of one block at a time: as its config says, or where that leaves it open (`auto`), if the
 * memory of the backend asks for it. It changes no byte of a result.
 *
 * @param note told where memory decides, or is short either way
 */
export function chooseCheckpointing(
	setting: 'auto' | boolean,
	backend: Backend,
	run: RehearsedRun,
	note: (line: string) => void,
): boolean {
	if (setting !== 'auto') return setting;
	const available = availableBytes(backend);
	const needed = neededBy(backend, run);
	const { memory, checkpointing, fits } = fitInto(available, setting, needed);
	if (!checkpointing) return false;
	const [taken, plain, all] = [memory.total, needed(false).total, available].map(formatBytes);
	note(
		`training.checkpointing: the activations of one block at a time are kept, which takes about ${taken} of ${all} instead of ${plain}`,
	);
	if (!fits) note('that may still be more than there is');
	return true;
}
