import { describe, expect, it } from 'vitest';
import { tinyConfig } from '../../../../tests/tiny.ts';
import { classObjective } from '../objectives/class-objective.ts';
import { nextTokenObjective } from '../objectives/next-token-objective.ts';
import { knownModel } from '../sizing/model-shape.ts';
import { rehearsalKey } from './rehearsal-key.ts';
import type { RehearsedRun } from './rehearse.ts';
import { fullPacks, rehearsedRun } from './rehearsed-run.ts';

const model = knownModel('SmolLM2-135M')!;

function runOf(overrides: Readonly<Record<string, string>> = {}): RehearsedRun {
	const config = tinyConfig(
		{ model: 'm', data: 'd', output: 'o' },
		{ 'sequence.length': '48', ...overrides },
	);
	const pass = {
		objective: classObjective,
		precision: config.training.precision,
		focal: { gamma: 1, gradient: 'full' },
		checkpointing: false,
	} as const;
	return rehearsedRun(config, { config: model }, pass, fullPacks(config.sequence.length));
}

const plain = runOf();
const { pass } = plain;

it('is one for runs that differ in what takes no memory', () => {
	const other = runOf({ 'training.seed': '9', 'training.learningRate': '0.5' });
	expect(rehearsalKey(other)).toBe(rehearsalKey(plain));
	const sharper = { ...plain, pass: { ...pass, focal: { ...pass.focal, gamma: 5 } } };
	expect(rehearsalKey(sharper)).toBe(rehearsalKey(plain));
});

describe('is another where', () => {
	it.each<[string, RehearsedRun]>([
		['the rank is', runOf({ 'method.rank': '3' })],
		['the base is', runOf({ 'method.type': 'qlora', 'method.base': 'int8' })],
		['the sequence is', runOf({ 'sequence.length': '64' })],
		['the model is', { ...plain, model: { ...model, layers: 2 } }],
		['the checkpoint stores other types', { ...plain, dtypeOf: () => 'F32' }],
		['activations are kept', { ...plain, pass: { ...pass, checkpointing: true } }],
		['the precision is', { ...plain, pass: { ...pass, precision: 'int8' } }],
		[
			'the question is',
			{ ...plain, pass: { ...pass, objective: nextTokenObjective({ question: [1], yes: [2], no: [3] }) } },
		],
	])('%s', (_, run) => {
		expect(rehearsalKey(run)).not.toBe(rehearsalKey(plain));
	});
});
