import { createCudaBackend } from '@vulntune/engine/backends/cuda/cuda.ts';
import {
	prepareStandIn,
	type StandIn,
	withStandIn,
} from '@vulntune/engine/backends/cuda/testing/stand-in.ts';
import { describe, expect, it } from 'vitest';
import { tinyConfig } from '../../../../tests/tiny.ts';
import { knownModel } from '../sizing/model-shape.ts';
import { chooseCardFor } from './choose-card.ts';
import { cardMemory } from './run-memory.ts';
import { adapterRun } from './what-fits.ts';

const { missing } = await prepareStandIn();
const run = adapterRun({ ...knownModel('SmolLM2-135M')!, layers: 2 }, 'nf4', 32, false);
/** What the stand-in's card is like as far as memory goes. */
const kind = { name: 'stand-in', capability: 80, multiprocessors: 1 };
const need = cardMemory(run, kind).total;

function choose(card: StandIn, overrides: Readonly<Record<string, string>> = {}) {
	const folders = { model: 'model', data: 'data', output: 'output' };
	const config = tinyConfig(folders, {
		...{ 'backend.type': 'auto', 'training.checkpointing': 'false' },
		...overrides,
	});
	return withStandIn(card, () => chooseCardFor(config, run));
}

describe.skipIf(missing !== undefined)('a run whose backend is open', () => {
	it('goes to a card that has room for it', () => {
		const { card, fit, line } = choose({ memory: need });
		expect([card?.ordinal, fit?.memory.total]).toEqual([0, need]);
		expect(line).toMatch(/^on card 0, stand-in: about .* free$/);
		expect(choose({ memory: need - 1 })).toMatchObject({
			card: undefined,
			line: expect.stringMatching(/^stand-in is not used: the run takes about/),
		});
	});

	it('does not where something else holds what it needs', () => {
		const memory = need + 2 ** 20;
		const other = withStandIn({ memory }, () => createCudaBackend());
		other.allocate('f32', 2 ** 19);
		expect(choose({ memory }).card).toBe(undefined);
		other.close();
		expect(choose({ memory }).card?.freeBytes).toBe(memory);
	});

	it('goes to the card of its number, with what its own kernels take', () => {
		const old: StandIn = { devices: 2, capability: 75, memory: 2 ** 40 };
		const { card, fit } = choose(old, { 'backend.device': '1' });
		expect([card?.ordinal, fit?.memory]).toEqual([1, cardMemory(run, { ...kind, capability: 75 })]);
	});

	it('stays where there is no card, or none that can be used', () => {
		expect(choose({ devices: 0 })).toEqual({ card: undefined, fit: undefined, line: undefined });
		expect(choose({ capability: 61, memory: 2 ** 40 })).toMatchObject({
			card: undefined,
			line: expect.stringMatching(/^no card is used: .* compute capability 6.1/),
		});
		for (const devices of [0, 1]) {
			const asking = () => choose({ devices }, { 'backend.device': '1' });
			expect(asking).toThrow(expect.objectContaining({ code: 'CUDA_DEVICE', kind: 'input' }));
		}
	});
});
