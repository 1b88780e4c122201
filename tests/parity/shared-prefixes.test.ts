import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cpuFeatures, createCpuBackend, loadTokenizer } from '@vulntune/engine';
import { describe, expect, it } from 'vitest';
import {
	buildPack,
	loadDataset,
	type PackingOptions,
	packFunctions,
	scorePack,
	tokenizeRows,
	trainOnPack,
} from 'vulntune';
import { isNightly } from '../nightly/nightly.ts';
import { needsShared } from '../shared.ts';
import { adaptedDetector, focalPass } from './detectors.ts';
import { relativeDifference } from './golden.ts';

const adapter = needsShared('fixtures/real/adapter');
const dataset = needsShared('data/x1-without-p3');
const model = path.join(os.homedir(), '.cache', 'vulntune-models', 'smollm2-135m');
const isAbsent = !existsSync(path.join(model, 'model.safetensors'));
if (isAbsent) console.warn(`skipped: ${model} is not unpacked (node ../shared/models/unpack.mjs)`);
const hasKernels = cpuFeatures().best !== undefined;
if (!hasKernels) console.warn('skipped: the native kernels are not built');

/** Functions of this many tokens at most, and so many of those that begin like another one. */
const [longest, count] = [160, 6];

// tiny models keep it tested in the suite (packages/vulntune/src/scoring/shared-prefixes.test.ts)
describe.skipIf(!isNightly || adapter.skip || dataset.skip || isAbsent || !hasKernels)(
	'functions of X1 and their fixes, their common beginning computed once',
	{ timeout: 600_000 },
	() => {
		it('have the losses and gradients of a pretrained model that they have without', async () => {
			const { splits } = await loadDataset(dataset.path, { required: ['test'] });
			const rows = splits.test;
			const tokens = await tokenizeRows(rows, loadTokenizer(model), { collapseWhitespace: true });
			const options: PackingOptions = {
				...{ length: longest + 1, packing: 'isolated', order: 'bestFit', maxFunctions: 2 },
				...{ largeFunctions: 'ignore', sharePrefixes: true },
			};
			const lengths = tokens.map((ids) => ids.length);
			const groups = packFunctions(lengths, options, { tokens }).packs.filter(([, other]) => other?.shared);
			const pieces = groups.flat().slice(0, count);
			const lone = pieces.map(({ shared: _shared, ...piece }) => piece);

			const { detector, close } = adaptedDetector(createCpuBackend(), model, adapter.path);
			const { backend, parameters } = detector;
			const [shared, alone] = [pieces, lone].map((packed) => {
				const pack = buildPack(packed, tokens, 2, 'isolated');
				const labels = Int32Array.from(pack.functionIndex, (index) => rows[index]!.label);
				const weights = new Float32Array(labels.length).fill(1);
				backend.fill(parameters.gradients, 0);
				const pass = focalPass(1, 'full');
				const { probabilities } = scorePack(detector, pack, pass);
				const losses = trainOnPack(detector, pack, { labels, weights }, 1, 0, pass);
				const gradients = parameters.specs.map(({ name }) =>
					Float32Array.from(backend.download(parameters.get(name).gradient!)),
				);
				return { probabilities, losses, gradients, size: pack.inputIds.length };
			});
			expect(alone!.losses).toHaveLength(count);
			expect(shared!.size).toBeLessThan(0.85 * alone!.size);
			expect(shared!.probabilities).toEqual(alone!.probabilities);
			expect(shared!.losses).toEqual(alone!.losses);
			for (const [i, { name }] of parameters.specs.entries()) {
				expect(relativeDifference(shared!.gradients[i]!, alone!.gradients[i]!), name).toBeLessThan(5e-5);
			}
			close();
		});
	},
);
