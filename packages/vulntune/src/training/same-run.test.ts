import { type Backend, createReferenceBackend } from '@vulntune/engine';
import { expect, it, onTestFinished } from 'vitest';
import { together } from '../communication/testing/together.ts';
import type { RunIdentity } from '../run/identity.ts';
import { requireSameRun } from './same-run.ts';

const identity: RunIdentity = { settings: 'a', dataset: 'b', weights: 'c' };

/** What comes of it in each of two processes, the second of which has something else. */
function compare(other: RunIdentity, change: Partial<Backend>, ofBoth: Partial<Backend> = {}) {
	const backend = createReferenceBackend();
	onTestFinished(() => backend.close());
	return Promise.allSettled(
		together(2).map((of, rank) =>
			rank === 0
				? requireSameRun(of(backend), identity, { ...backend, ...ofBoth })
				: requireSameRun(of(backend), other, { ...backend, ...ofBoth, ...change }),
		),
	);
}

it.each([
	['another dataset', { ...identity, dataset: 'x' }, {}],
	[
		'another configuration, other weights of the base model',
		{ ...identity, settings: 'x', weights: 'y' },
		{},
	],
	['another adapter to start from', { ...identity, start: 'x' }, {}],
	['other kernels', identity, { hardware: { isa: 'avx2' } }],
])('refuses a process that has %s', async (what, other, change) => {
	for (const outcome of await compare(other, change)) {
		expect(outcome).toMatchObject({
			status: 'rejected',
			reason: {
				code: 'PROCESSES_DIFFER',
				kind: 'input',
				summary: expect.stringContaining(`process 1 has ${what}`),
			},
		});
	}
});

it('lets processes differ in threads', async () => {
	const hardware = { isa: 'avx2' };
	const outcomes = await compare(identity, { description: 'avx2, 3 threads', hardware }, { hardware });
	expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
});
