import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writePeftAdapter } from '@vulntune/engine';
import { expect, it, onTestFinished, vi } from 'vitest';
import { DESCRIPTION, type DetectorDescription } from './description.ts';
import type { Detector } from './detector.ts';
import { restoreDetector, saveDetector } from './saved-detector.ts';

it('scores nothing with a head of random numbers where the adapter has none', () => {
	const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-detector-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const layer = 'model.layers.0.self_attn.q_proj';
	writePeftAdapter(folder, {
		config: { rank: 1, alpha: 1, dropout: 0, targets: ['q_proj'], rsLora: false },
		baseModel: 'base',
		matrices: new Map([
			[`${layer}.lora_A.weight`, { shape: [1, 2], values: Float32Array.of(1, 2) }],
			[`${layer}.lora_B.weight`, { shape: [2, 1], values: Float32Array.of(3, 4) }],
		]),
		head: new Map(),
	});
	const parameters = { has: (name: string) => name === 'score.weight', specs: [{ name: 'score.weight' }] };
	const detector = { backend: {}, parameters } as unknown as Detector;
	expect(() => restoreDetector(folder, detector, 'lora')).toThrow(/no tensor score\.weight/);
});

it('replaces what was saved before as a whole, or not at all', () => {
	const root = mkdtempSync(path.join(os.tmpdir(), 'vulntune-detector-'));
	onTestFinished(() => rmSync(root, { recursive: true }));
	const folder = path.join(root, 'adapter');
	mkdirSync(folder);
	writeFileSync(path.join(folder, 'of-the-old-one'), '');
	const download = vi.fn(() => Float32Array.of(1, 2));
	const detector = {
		backend: { download },
		parameters: { specs: [{ name: 'score.weight', shape: [1, 2] }], get: () => undefined },
	} as unknown as Detector;
	const save = (epoch: number) =>
		saveDetector(folder, detector, { type: 'head' }, { format: 1, epoch } as DetectorDescription);
	save(3);
	expect(readdirSync(folder).toSorted()).toEqual(['head.safetensors', DESCRIPTION]);
	expect(readdirSync(root)).toEqual(['adapter']);

	download.mockImplementation(() => {
		// while the new one is made, the old one stands
		expect(existsSync(path.join(folder, DESCRIPTION))).toBe(true);
		throw new Error('no more');
	});
	expect(() => save(4)).toThrow('no more');
	expect(readdirSync(root)).toEqual(['adapter']);
	expect(JSON.parse(readFileSync(path.join(folder, DESCRIPTION), 'utf8')).epoch).toBe(3);
});
