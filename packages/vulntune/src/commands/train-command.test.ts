import { expect, it } from 'vitest';
import { fitBaselines } from '../baselines/fit-baselines.ts';
import { compareWithBaselines } from '../evaluation/compare-with-baselines.ts';
import type { Progress } from '../terminal/progress.ts';
import { describeOutcome, showEvent } from './train-command.ts';

const texts = Array.from({ length: 8 }, (_, row) => ({
	text: `call${row}();`,
	label: (row % 2) as 0 | 1,
}));
const comparison = compareWithBaselines(
	texts.map((row, id) => ({ ...row, id, probability: id / 8 })),
	{ name: 'lora', threshold: 0.5, baselines: fitBaselines(texts, texts), resamples: 10 },
);

function outcomeOf(truncated: number) {
	const record = { type: 'end', bestEpoch: 2, test: comparison.rows[0]!.evaluation, truncated } as const;
	return describeOutcome({ status: 'finished', summary: { output: '/runs/a', record, comparison } });
}

it('says how many functions were scored by a part of them', () => {
	expect(outcomeOf(3).text).toContain('3 functions were longer than a sequence');
	expect(outcomeOf(3).data).toMatchObject({ bestEpoch: 2, truncated: 3 });
	expect(outcomeOf(0).text).not.toContain('longer than a sequence');
});

it('shows the rate, the memory and the time that is left with validation', () => {
	const shown: Progress[] = [];
	const progress = { update: (line: Progress) => void shown.push(line), note: () => {}, finish: () => {} };
	const position = { epoch: 2, epochs: 3, pack: 4, packs: 10, step: 14, steps: 30 };
	const measured = { tokensPerSecond: 123.4, secondsLeft: 77, residentBytes: 2 ** 30, loss: 0.5 };
	showEvent(
		{ type: 'training', ...position, ...measured },
		{ progress, interruption: () => new AbortController().signal },
	);
	expect(shown).toEqual([
		{
			...{ task: 'training', done: 14, total: 30, unit: 'sequences', secondsLeft: 77 },
			detail: 'epoch 2 of 3, loss 0.5000, 123 tokens/s, 1.0 GiB',
		},
	]);
});

it('shows an epoch of which validation leaves metrics open', () => {
	const shown: string[] = [];
	const progress = { update: () => {}, note: (line: string) => void shown.push(line), finish: () => {} };
	const show = (rocAuc: number | null, f1: number | null) => {
		const validation = { loss: 0.5, rocAuc, f1, averagePrecision: null, threshold: null };
		showEvent(
			{ type: 'record', record: { type: 'epoch', epoch: 1, validation } },
			{ progress, interruption: () => new AbortController().signal },
		);
	};
	show(0.75, 0.5);
	show(null, null);
	expect(shown).toEqual([
		'epoch 1: validation loss 0.5000, ROC AUC 0.7500, F1 0.5000 (at its best threshold)',
		'epoch 1: validation loss 0.5000, ROC AUC undefined, F1 undefined',
	]);
});

it('tells what goes on with an interrupted run, whatever command began it', () => {
	const interrupted = () => describeOutcome({ status: 'interrupted', output: '/runs/a' });
	expect(interrupted).toThrow('vulntune train /runs/a/config.yaml --resume');
	expect(interrupted).toThrow('everything up to the last sequence is saved');
	expect(() => describeOutcome({ status: 'interrupted', output: '/runs/a', startsAnew: true })).toThrow(
		'nothing of it is kept',
	);
});
