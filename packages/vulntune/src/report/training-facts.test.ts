import { expect, it } from 'vitest';
import { tinyConfig } from '../../../../tests/tiny.ts';
import type { ReportData } from './report-data.ts';
import { trainingFacts } from './training-facts.ts';

/** The texts of a run of a config, of which nothing else is known. */
function textOf(overrides: Readonly<Record<string, string>> = {}): string {
	const settings = tinyConfig({ model: 'm', data: 'd', output: 'o' }, overrides);
	const data: Partial<ReportData> = {
		...{ settings, model: 'm', base: 'bf16', dataset: 'd', method: 'lora', environment: {} },
		...{ epochs: [], validation: [], test: [], isSynthetic: false, data: null, training: null, truncated: 0 },
	};
	return trainingFacts(data as ReportData)
		.map(([, text]) => text)
		.join('; ');
}

it('tells the loss of pairs and how many sequences go through the model at once, where there is any of them', () => {
	expect(textOf()).not.toMatch(/pairs, weight|at once/);
	const text = textOf({
		...{ 'loss.pair': 'rank', 'loss.pairWeight': '0.5' },
		...{ 'training.accumulation': '4', 'training.sequencesPerPass': '2' },
	});
	expect(text).toContain('over functions, rank loss of pairs, weight 0.5');
	expect(text).toContain('4 sequences a step, 2 at once');
});

it('tells of moments in 8 bits', () => {
	expect(textOf()).not.toContain('8 bits');
	expect(textOf({ 'training.optimizer': 'adamw8bit' })).toContain(
		'AdamW with moments in 8 bits, learning rate',
	);
});
