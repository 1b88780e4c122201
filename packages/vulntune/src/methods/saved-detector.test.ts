import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { writePeftAdapter } from '@vulntune/engine';
import { expect, it, onTestFinished } from 'vitest';
import type { Detector } from './detector.ts';
import { restoreDetector } from './saved-detector.ts';

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
	const parameters = { has: (name: string) => name === 'score.weight', specs: [] };
	const detector = { backend: {}, parameters } as unknown as Detector;
	expect(() => restoreDetector(folder, detector, 'lora')).toThrow(/no tensor score\.weight/);
});
