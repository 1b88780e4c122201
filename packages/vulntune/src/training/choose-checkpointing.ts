import type { Backend, Checkpointing } from '@vulntune/engine';
import { formatBytes } from '../terminal/format.ts';
import type { RehearsedRun } from './rehearse.ts';
import { availableBytes, fitInto, neededBy } from './run-memory.ts';

/**
 * Whether a run keeps the activations of one block at a time, and where: as its config says, or where that leaves it open (`auto`), as
 * the memory of the backend asks for it. It changes no byte of a result.
 *
 * @param note told where memory decides, or is short either way
 */
export function chooseCheckpointing(
	setting: 'auto' | Checkpointing,
	backend: Backend,
	run: RehearsedRun,
	note: (line: string) => void,
): Checkpointing {
	if (setting !== 'auto') return setting;
	const available = availableBytes(backend);
	const needed = neededBy(backend, run);
	const { memory, checkpointing, fits } = fitInto(available, setting, needed);
	if (checkpointing === false) return false;
	const [taken, plain, all] = [memory.total, needed(false).total, available].map(formatBytes);
	const onHost = checkpointing === 'host' ? ' (what enters the blocks in this machine’s memory)' : '';
	note(
		`training.checkpointing: the activations of one block at a time are kept${onHost}, which takes about ${taken} of ${all} instead of ${plain}`,
	);
	if (!fits) note('that may still be more than there is');
	return checkpointing;
}
