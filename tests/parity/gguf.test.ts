import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Arena, linear, loadModel, openModelFolder } from '@vulntune/engine';
import { families } from '@vulntune/engine/models/families.ts';
import { expect, it } from 'vitest';
import { backendsUnderTest } from '../backends.ts';
import { needsShared } from '../shared.ts';
import { readGolden, readJson, relativeDifference } from './golden.ts';
import { packTensors } from './packs.ts';

const own = fileURLToPath(new URL('../golden/gguf', import.meta.url));
const shared = needsShared('fixtures/gguf');
const supported = families.flatMap(({ modelTypes }) => modelTypes);

interface GoldenFile {
	readonly title: string;
	readonly file: string;
	readonly ids: readonly number[];
	readonly logits: () => ArrayLike<number>;
}

/** Architectures by scripts/goldens/gguf-models.py, each compared with llama.cpp there. */
function ownFiles(): GoldenFile[] {
	const { files, input_ids: ids } = readJson(own, 'golden.json');
	const known = Object.entries<{ model_type: string; logits: number[][] }>(files).filter(
		([name, { model_type: type }]) =>
			supported.includes(type) || console.warn(`skipped: ${name}, as no family reads ${type}`),
	);
	return known.map(([name, { logits }]) => ({
		title: name,
		file: path.join(own, name),
		ids,
		logits: () => logits.flat(),
	}));
}

/** Types of blocks. */
function sharedFiles(): GoldenFile[] {
	if (shared.skip) return [];
	const { files, input_ids: ids } = readJson(shared.path, 'golden.json');
	return readdirSync(shared.path).flatMap((name) =>
		files[name]?.has_logits !== true
			? []
			: [
					{
						title: name,
						file: path.join(shared.path, name),
						ids,
						logits: () =>
							readGolden(path.join(shared.path, name.replace('.gguf', '.golden.safetensors'))).get('logits')!
								.values,
					},
				],
	);
}

it.each([...ownFiles(), ...sharedFiles()])('$title gives the golden logits', ({ file, ids, logits }) => {
	const backend = backendsUnderTest()[0]!.create();
	const folder = openModelFolder(file);
	const { model, free } = loadModel(backend, folder, {
		base: 'fp32',
		doubleQuantization: false,
		maxPositions: 64,
	});
	const arena = new Arena(backend);
	const context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined } as const;
	const positions = Int32Array.from(ids, (_, index) => index);
	const pack = packTensors(context, Int32Array.from(ids), positions, Int32Array.of(0, ids.length));
	const hidden = model.hidden(context, pack); // [T, H]
	const found = linear(context, hidden, { weight: model.outputMatrix! }); // [T, V]
	expect(relativeDifference(backend.download(found), logits())).toBeLessThan(2e-5);
	arena.close();
	free();
	folder.close();
	backend.close();
});
