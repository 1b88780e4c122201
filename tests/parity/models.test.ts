import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import {
	Arena,
	type Backend,
	type Context,
	linear,
	loadModel,
	openModelFolder,
	release,
} from '@vulntune/engine';
import { families } from '@vulntune/engine/models/families.ts';
import { describe, expect, it } from 'vitest';
import { backendsUnderTest } from '../backends.ts';
import { goldensOf } from '../shared.ts';
import { pickRows, readGolden, readJson, relativeDifference } from './golden.ts';
import { flatten, flattenEncoderBatch, packTensors, startingAtZero } from './packs.ts';

const sets = goldensOf('models');
const tolerance = 2e-5;

const supported = families.flatMap(({ modelTypes }) => modelTypes);

/** Models of the families that are read, by what their config says and not by their names. */
function modelFolders(folder: string): string[] {
	return readdirSync(folder).filter((name) => {
		const config = path.join(folder, name, 'config.json');
		if (!existsSync(config) || !existsSync(path.join(folder, name, 'golden.json'))) return false;
		return supported.includes(readJson(config).model_type);
	});
}

/** Every model of every set. */
const models = sets.flatMap(({ set, folder }) =>
	modelFolders(folder).map((name) => ({ title: `${name} (${set})`, folder: path.join(folder, name) })),
);

const isEncoder = ({ folder }: { folder: string }) => readJson(folder, 'golden.json').batch !== undefined;
const decoders = models.filter((model) => !isEncoder(model));
const encoders = models.filter(isEncoder);

/** A 16-bit 4-bit checkpoint stands for values rounded to 16 bits: opened dense, they are exactly those. */
function baseOf(location: string): 'fp32' | 'bf16' | 'nf4' | 'fp4' {
	const config = readJson(location, 'config.json');
	const quantization = config.quantization_config;
	if (quantization === undefined) return 'fp32';
	if ((config.dtype ?? config.torch_dtype) === 'bfloat16') return 'bf16';
	return quantization.bnb_4bit_quant_type;
}

describe.each(backendsUnderTest())('decoders on $name', ({ create }) => {
	it.each(decoders)('$title gives the golden hidden states and logits', ({ folder: location }) => {
		const backend = create();
		const golden = readGolden(path.join(location, 'golden.safetensors'));
		const folder = openModelFolder(location);
		const { model, free } = loadModel(backend, folder, {
			base: baseOf(location),
			doubleQuantization: true,
			maxPositions: folder.config.maxPositions,
		});
		inContext(backend, (context) => {
			const ids = golden.get('single.input_ids')!.values as Int32Array;
			const positions = Int32Array.from(ids, (_, i) => i);
			const pack = packTensors(context, ids, positions, Int32Array.of(0, ids.length));
			const hidden = model.hidden(context, pack, {
				observe(layer, x) {
					const expected = golden.get(`single.hidden.${layer}`);
					if (expected === undefined) return;
					expect(relativeDifference(backend.download(x), expected.values), `hidden ${layer}`).toBeLessThan(
						tolerance,
					);
				},
			});
			expect(relativeDifference(backend.download(hidden), golden.get('single.final')!.values)).toBeLessThan(
				tolerance,
			);
			const logits = linear(context, hidden, { weight: model.outputMatrix! });
			expect(relativeDifference(backend.download(logits), golden.get('single.logits')!.values)).toBeLessThan(
				tolerance,
			);
			release(context, hidden, logits);
		});
		free();
		folder.close();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});

	it.each(decoders)('$title packs functions, isolated and leaky', ({ folder: location }) => {
		const json = readJson(location, 'golden.json');
		if (json.packed === undefined) return;
		const backend = create();
		const golden = readGolden(path.join(location, 'golden.safetensors'));
		const folder = openModelFolder(location);
		const { model, free } = loadModel(backend, folder, {
			base: 'fp32',
			doubleQuantization: false,
			maxPositions: folder.config.maxPositions,
		});
		const batch = flatten(json.packed);
		const width = folder.config.hiddenSize;
		const pool = (json.packed.pool_row_col as [number, number][]).map(([r, c]) => batch.indexOf(r, c));
		const finals = (positions: Int32Array, starts: Int32Array): Float32Array =>
			inContext(backend, (context) => {
				const pack = packTensors(context, batch.ids, positions, starts);
				return backend.download(model.hidden(context, pack)) as Float32Array;
			});

		const isolated = finals(batch.positions, batch.functionStarts);
		const goldenFinal = golden.get('packed.isolated.final')!.values;
		expect(relativeDifference(isolated, pickRows(goldenFinal, width, batch.kept))).toBeLessThan(tolerance);
		expect(
			relativeDifference(pickRows(isolated, width, pool), golden.get('packed.isolated.last_hidden')!.values),
		).toBeLessThan(tolerance);

		const rowPositions = batch.ids.map((_, token) => {
			const row = batch.rowStarts.findLastIndex((start) => start <= token);
			return token - batch.rowStarts[row]!;
		});
		const leaky = finals(rowPositions, batch.rowStarts);
		const goldenLeaky = golden.get('packed.leaky.final')!.values;
		expect(relativeDifference(leaky, pickRows(goldenLeaky, width, batch.kept))).toBeLessThan(tolerance);
		free();
		folder.close();
		backend.close();
	});
});

if (encoders.length === 0) console.warn('skipped: encoders, of which there is no small set');
describe.skipIf(encoders.length === 0).each(backendsUnderTest())('encoders on $name', ({ create }) => {
	it.each(encoders)('$title gives the golden hidden states, alone and packed', ({ folder: location }) => {
		const backend = create();
		const golden = readGolden(path.join(location, 'golden.safetensors'));
		const json = readJson(location, 'golden.json');
		const folder = openModelFolder(location);
		const options = { base: 'fp32', doubleQuantization: false, maxPositions: 64 } as const;
		const { model, free } = loadModel(backend, folder, options);
		const width = folder.config.hiddenSize;
		const expectStates = (found: ArrayLike<number>, key: string, rows: readonly number[]) =>
			expect(relativeDifference(found, pickRows(golden.get(key)!.values, width, rows)), key).toBeLessThan(
				tolerance,
			);
		inContext(backend, (context) => {
			const batch = flattenEncoderBatch(json.batch);
			const pack = packTensors(context, batch.ids, batch.positions, batch.functionStarts);
			const hidden = model.hidden(context, pack, {
				observe: (layer, x) => expectStates(backend.download(x), `batch.hidden.${layer}`, batch.kept),
			});
			expectStates(backend.download(hidden), 'batch.final', batch.kept);
			const packed = flatten(startingAtZero(json.packed));
			const both = packTensors(context, packed.ids, packed.positions, packed.functionStarts);
			const final = backend.download(model.hidden(context, both));
			expectStates(final, 'packed.isolated.final', packed.kept);
			const firsts = [...packed.functionStarts.slice(0, -1)];
			expect(
				relativeDifference(pickRows(final, width, firsts), golden.get('packed.isolated.cls')!.values),
			).toBeLessThan(tolerance);
		});
		free();
		folder.close();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
	});
});

function inContext<Result>(backend: Backend, body: (context: Context) => Result): Result {
	const arena = new Arena(backend);
	try {
		return body({ backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined });
	} finally {
		arena.close();
	}
}
