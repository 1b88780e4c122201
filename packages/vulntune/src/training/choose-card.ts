import { type FoundCard, findCards, inputError } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { formatBytes } from '../terminal/format.ts';
import type { RehearsedRun } from './rehearse.ts';
import { cardMemory, type Fit, fitInto, memoryOf } from './run-memory.ts';

/** What `backend: auto` makes of the cards of a machine. */
export interface CardChoice {
	/** The card that is taken, and how the run fits on it; undefined where none is. */
	readonly card: FoundCard | undefined;
	readonly fit: Fit | undefined;
	/** What a reader is told; undefined where there is no card at all. */
	readonly line: string | undefined;
}

/**
 * Whether a run goes to a card: to the one of the config's number, where it can run the kernels and has room. Throws CUDA_DEVICE
 * where there are cards, and none of that number.
 */
export function chooseCardFor({ backend, training }: Config, run: RehearsedRun): CardChoice {
	const { cards } = findCards();
	const none = { card: undefined, fit: undefined };
	if (cards.length === 0 && backend.device === 0) return { ...none, line: undefined };
	const card = cards[backend.device];
	if (card === undefined) throw noSuchCard(backend.device, cards);
	if (card.unusable !== undefined) return { ...none, line: `no card is used: ${card.unusable}` };
	const fit = fitInto(
		card.freeBytes ?? card.memoryBytes,
		training.checkpointing,
		memoryOf(run, (one) => cardMemory(one, card)),
	);
	const need = `about ${formatBytes(fit.memory.total)} of ${describeFree(card)}`;
	if (!fit.fits) return { ...none, line: `${card.name} is not used: the run takes ${need}` };
	return { card, fit, line: `on card ${card.ordinal}, ${card.name}: ${need}` };
}

function describeFree({ freeBytes, memoryBytes }: FoundCard): string {
	return freeBytes === undefined ? formatBytes(memoryBytes) : `${formatBytes(freeBytes)} free`;
}

function noSuchCard(device: number, cards: readonly FoundCard[]): Error {
	const list = cards.map(({ ordinal, name }) => `${ordinal} ${name}`).join(', ');
	return inputError(
		'CUDA_DEVICE',
		cards.length === 0
			? `there is no card ${device}; this machine shows none`
			: `there is no card ${device}; this machine shows ${cards.length}: ${list}`,
		{ place: 'backend.device', remedy: 'Leave it out, or choose a card that is there.' },
	);
}
