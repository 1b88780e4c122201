import type { Backend } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { knownModel } from '../sizing/model-shape.ts';
import { chooseCheckpointing } from './choose-checkpointing.ts';
import { cardMemory } from './run-memory.ts';
import { adapterRun } from './what-fits.ts';

const run = adapterRun({ ...knownModel('SmolLM2-135M')!, layers: 4 }, 'nf4', 512, false);
const kind = { name: 'a card', capability: 75, multiprocessors: 40 };
const reckoned = (checkpointing: boolean | 'host') =>
	cardMemory({ ...run, pass: { ...run.pass, checkpointing } }, kind);

/** What is chosen on a card that is open, so that its driver's memory is taken already, and what is said. */
function choose(setting: 'auto' | boolean | 'host', freeBytes: number) {
	const notes: string[] = [];
	const card = { totalBytes: 2 ** 40, usedBytes: 2 ** 40 - freeBytes };
	const backend = {
		hardware: {
			card: { ...kind, ordinal: 0, capability: '7.5', driver: '12.0', memoryBytes: 2 ** 40, kernels: 'auto' },
		},
		memory: () => ({ card }),
	} as unknown as Backend;
	return { chosen: chooseCheckpointing(setting, backend, run, (line) => notes.push(line)), notes };
}

it('leaves room for what a run takes besides what the card’s driver has taken', () => {
	const free = (checkpointing: boolean | 'host') => {
		const { total, around } = reckoned(checkpointing);
		return total - around;
	};
	expect(choose('auto', free(false))).toEqual({ chosen: false, notes: [] });
	const { chosen, notes } = choose('auto', free(false) - 1);
	expect([chosen, notes.length]).toEqual([true, 1]);
	expect(choose('auto', free(true)).chosen).toBe(true);
	expect(choose('auto', free(true) - 1).chosen).toBe('host');
	const least = choose('auto', free('host') - 1);
	expect(least.chosen).toBe('host');
	expect(least.notes[1]).toBe('that may still be more than there is');
});

it('is what the config says', () => {
	for (const setting of [false, true, 'host'] as const) {
		expect(choose(setting, 0)).toEqual({ chosen: setting, notes: [] });
	}
});
