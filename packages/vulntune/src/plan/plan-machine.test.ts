import { expect, it } from 'vitest';
import { tinyConfig } from '../../../../tests/tiny.ts';
import { knownModel } from '../sizing/model-shape.ts';
import { adapterRun } from '../training/what-fits.ts';
import { planMachine } from './plan-machine.ts';

it('counts the memory of cards as they are sold, in 10⁹ bytes', () => {
	const model = { ...knownModel('wizardcoder-python-7b')!, layers: 17 };
	const folders = { model: 'model', data: 'data', output: 'output' };
	const config = tinyConfig(folders, { 'training.checkpointing': 'false' });
	const { cards } = planMachine(config, adapterRun(model, 'bf16', 64, false), () => {});
	// what lies between 8 GB and 8 GiB
	expect(cards[0]!.bytes).toBeGreaterThan(8e9);
	expect(cards[0]!.bytes).toBeLessThan(8 * 2 ** 30);
	expect(cards.map(({ gigabytes, fits }) => [gigabytes, fits])).toEqual([
		[8, false],
		...[16, 24, 48, 80].map((gigabytes) => [gigabytes, true]),
	]);
});
