import os from 'node:os';
import { type FoundCard, findCards } from '@vulntune/engine';
import {
	prepareStandIn,
	type StandIn,
	withStandIn,
} from '@vulntune/engine/backends/cuda/testing/stand-in.ts';
import { describe, expect, it } from 'vitest';
import { describeMachine } from '../commands/doctor.ts';
import { knownModel } from '../sizing/model-shape.ts';
import { adapterMemory, whatFits } from '../training/what-fits.ts';
import { examineMachine } from './examine-machine.ts';
import { describeGpus } from './gpus.ts';

describe('the report on a machine', () => {
	it('agrees with itself', () => {
		const report = examineMachine();
		const isNative = report.isa !== null;
		expect(report.nativeFailure === null).toBe(isNative);
		expect(report.backend === 'cuda').toBe(report.gpus.some(({ unusable }) => unusable === null));
		expect(report.gpusMissing === null).toBe(report.gpus.length > 0);
		if (isNative) expect(report.instructionSets).toContainEqual({ name: report.isa, supported: true });
		expect(report.threads).toBeGreaterThanOrEqual(1);
		expect(report.memoryBytes).toBeGreaterThan(2 ** 28);
		expect(report.memoryBytes).toBeLessThanOrEqual(os.totalmem());
		expect(report.diskFreeBytes).toBeGreaterThanOrEqual(0);
		// a module of WebAssembly has 4 GiB
		const usable = report.backend === 'wasm' ? Math.min(report.memoryBytes, 2 ** 32) : report.memoryBytes;
		for (const { bytes, fits } of report.fits) expect(fits).toBe(bytes <= usable);
	});
});

describe('what fits', () => {
	it('is what the memory holds, NF4 taking less than half of bf16 where the base dominates', () => {
		const bytes = (model: string, method: string) =>
			whatFits(0).find((fit) => fit.model === model && fit.method === method)!.bytes;
		expect(whatFits(0).every(({ fits }) => !fits)).toBe(true);
		expect(whatFits(2 ** 40).every(({ fits }) => fits)).toBe(true);
		const model = 'WizardCoder-Python-13B';
		expect(bytes(model, 'qlora') / bytes(model, 'lora')).toBeLessThan(0.5);
		// 13 billion weights of two bytes, and a little more.
		expect(bytes(model, 'lora') / 26e9).toBeCloseTo(1, 0);
		expect(bytes('SmolLM2-135M', 'qlora')).toBeLessThan(2 ** 30);
	});
});

it('turns to checkpointing where memory is short, and then gives up', () => {
	const qlora = (memoryBytes: number) =>
		whatFits(memoryBytes).find((fit) => fit.model === 'DeepSeek-Coder-1.3B' && fit.method === 'qlora')!;
	const ample = qlora(2 ** 40);
	expect(ample).toMatchObject({ checkpointing: false, fits: true });
	const short = qlora(ample.bytes - 1);
	expect(short).toMatchObject({ checkpointing: true, fits: true });
	expect(short.bytes).toBeLessThan(ample.bytes);
	expect(qlora(short.bytes - 1)).toEqual({ ...short, fits: false });
});

it('turns to the memory of the machine where a card has too little, and then gives up', () => {
	const qlora = (memoryBytes: number) =>
		whatFits(memoryBytes, 'card').find(
			({ model, method }) => model === 'StarCoder2-3B' && method === 'qlora',
		)!;
	const ample = qlora(2 ** 40);
	const short = qlora(ample.bytes - 1);
	expect(short).toMatchObject({ checkpointing: true, fits: true });
	const least = qlora(short.bytes - 1);
	expect(least).toMatchObject({ checkpointing: 'host', fits: true });
	expect(least.bytes).toBeLessThan(short.bytes);
	expect(qlora(least.bytes - 1)).toEqual({ ...least, fits: false });
});

it('compares with what is free on a card, and says so', () => {
	const [model, method] = ['DeepSeek-Coder-1.3B', 'qlora'] as const;
	const { bytes } = whatFits(2 ** 40, 'card').find((fit) => fit.model === model && fit.method === method)!;
	const card = {
		ordinal: 0,
		name: 'a card',
		capability: 80,
		multiprocessors: 100,
		memoryBytes: 4 * bytes,
		driver: '12.4',
	};
	const report = examineMachine();
	const shown = (free: Partial<FoundCard>) => {
		const search = { cards: [{ ...card, ...free } as FoundCard], missing: undefined };
		const text = describeMachine({ ...report, gpus: describeGpus(search) });
		return text.slice(text.indexOf('Would fit on card 0, a card, in '));
	};
	const row = /yes +DeepSeek-Coder-1.3B +qlora +[\d.]+ GiB(.*)/;
	expect(row.exec(shown({}))?.[1]).toBe('');
	const busy = shown({ freeBytes: bytes - 1 });
	expect(row.exec(busy)?.[1]).toBe('  with training.checkpointing');
	expect(busy).toMatch(/^Would fit on card 0, a card, in [\d.]+ GiB that are free now \(/);
	expect(shown({})).toMatch(/^Would fit on card 0, a card, in [\d.]+ GiB \(/);
	const least = adapterMemory(knownModel(model)!, 'qlora', 'card', 'host').total;
	expect(row.exec(shown({ freeBytes: least }))?.[1]).toBe('  with training.checkpointing: host');
	const none = shown({ freeBytes: 1e9 });
	expect(row.test(none)).toBe(false);
	expect(none).toMatch(/no +DeepSeek-Coder-1.3B +qlora/);
});

const { missing } = await prepareStandIn();

describe.skipIf(missing !== undefined)('the cards of a machine', () => {
	const gpus = (kind: StandIn) => withStandIn(kind, () => describeGpus(findCards()));

	it('are listed with memory, capability, driver and what would fit', () => {
		const [first, second, ...others] = gpus({ devices: 2, driver: 12_040, memory: 16e9 });
		expect(others).toEqual([]);
		expect(first).toMatchObject({
			...{ ordinal: 0, name: 'stand-in', memoryBytes: 16e9, freeBytes: 16e9 },
			...{ capability: '8.0', driver: '12.4', unusable: null },
		});
		expect(second).toMatchObject({ ordinal: 1 });
		const fit = (model: string, method: string) =>
			first!.fits.find((each) => each.model === model && each.method === method)!;
		expect(fit('WizardCoder-Python-7B', 'qlora')).toMatchObject({ fits: true, checkpointing: false });
		expect(fit('WizardCoder-Python-13B', 'qlora')).toMatchObject({ fits: true });
		expect(fit('WizardCoder-Python-13B', 'lora').fits).toBe(false);
	});

	it('fit what their own kernels take', () => {
		const model = 'WizardCoder-Python-13B';
		const taken = (kind: StandIn) =>
			gpus({ ...kind, memory: 80e9 })[0]!.fits.find((fit) => fit.model === model)!.bytes;
		expect(taken({ capability: 75 })).not.toBe(taken({ capability: 80 }));
	});

	it('are listed where they are too old, with what is wrong', () => {
		const [card] = gpus({ capability: 61 });
		expect(card).toMatchObject({ capability: '6.1', fits: [] });
		expect(card!.unusable).toContain('compute capability 6.1, but 7.0 is needed');
	});

	it.each([
		['no card', { devices: 0 }, /finds no card/],
		['an old driver', { driver: 11_080 }, /made for CUDA 11.8, but 12.0 is needed/],
	] as const)('are none with %s, and it says so', (_, kind, reason) => {
		const { cards, missing: error } = withStandIn(kind, findCards);
		expect(cards).toEqual([]);
		expect(error?.summary).toMatch(reason);
	});
});
