import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Arena } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { backendsUnderTest } from '../backends.ts';
import { adaptedDetector } from './detectors.ts';
import { readJson, relativeDifference } from './golden.ts';
import { packTensors } from './packs.ts';

const golden = fileURLToPath(new URL('../golden/fixtures', import.meta.url));
const { input_ids: ids, adapters } = readJson(golden, 'peft', 'golden.json');

// scripts/goldens/peft-adapters.py
it.each(Object.keys(adapters))("an adapter with PEFT's %s gives PEFT's hidden states", (name) => {
	const backend = backendsUnderTest()[0]!.create();
	const base = path.join(golden, 'models', 'llama');
	const { detector, close } = adaptedDetector(backend, base, path.join(golden, 'peft', name));
	const arena = new Arena(backend);
	const context = { backend, precision: 'fp32', arena, tape: undefined, dropoutSeed: undefined } as const;
	const positions = Int32Array.from(ids, (_, index) => index);
	const pack = packTensors(context, Int32Array.from(ids), positions, Int32Array.of(0, ids.length));
	const states = backend.download(detector.model.hidden(context, pack)); // [T, H]
	expect(relativeDifference(states, adapters[name].flat())).toBeLessThan(2e-5);
	arena.close();
	close();
});
