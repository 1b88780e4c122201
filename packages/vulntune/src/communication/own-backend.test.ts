import os from 'node:os';
import { type BackendChoice, createReferenceBackend } from '@vulntune/engine';
import { expect, it, onTestFinished, vi } from 'vitest';
import { alone } from './communicator.ts';
import { openSameBackend, ownBackend } from './own-backend.ts';
import { together } from './testing/together.ts';

/** The backends of so many processes on this machine. */
function backendsOf(size: number, choice: BackendChoice, localRanks: readonly (number | undefined)[] = []) {
	const backend = createReferenceBackend();
	onTestFinished(() => backend.close());
	return Promise.all(
		together(size).map((of, rank) =>
			ownBackend(choice, {
				...of(backend),
				localRank: localRanks[rank],
				withVectors: async () => of(backend),
			}),
		),
	);
}

const cpu: BackendChoice = { type: 'cpu', isa: 'auto', threads: 'auto' };

it('shares the cores of a machine out, and leaves a process alone what it has', async () => {
	const cores = vi.spyOn(os, 'availableParallelism').mockReturnValue(7);
	onTestFinished(() => cores.mockRestore());
	expect((await backendsOf(2, cpu)).map(({ threads }) => threads)).toEqual([3, 3]);
	expect((await backendsOf(8, cpu))[0]!.threads).toBe(1);
	expect((await backendsOf(2, { ...cpu, threads: 5 }))[1]!.threads).toBe(5);
	expect(await ownBackend(cpu, alone)).toBe(cpu);
});

it('lets processes of other machines have their own', async () => {
	const cores = vi.spyOn(os, 'availableParallelism').mockReturnValue(6);
	const host = vi
		.spyOn(os, 'hostname')
		.mockReturnValueOnce('one')
		.mockReturnValueOnce('two')
		.mockReturnValueOnce('two');
	onTestFinished(() => {
		cores.mockRestore();
		host.mockRestore();
	});
	expect((await backendsOf(3, cpu)).map(({ threads }) => threads)).toEqual([6, 3, 3]);
});

it('gives each process that sees the same cards another one', async () => {
	const cuda: BackendChoice = { type: 'cuda', isa: 'auto', threads: 'auto', device: 1 };
	expect((await backendsOf(2, cuda)).map(({ device }) => device)).toEqual([1, 2]);
	expect((await backendsOf(2, cuda, [3, 0])).map(({ device }) => device)).toEqual([4, 1]);
	expect(await backendsOf(2, cpu)).not.toContainEqual(expect.objectContaining({ device: expect.anything() }));
});

it('opens the kernels of the first process in all of them', async () => {
	const backend = createReferenceBackend();
	onTestFinished(() => backend.close());
	const opened = await Promise.all(
		together(2).map((of, rank) => {
			const processes = { ...of(backend), localRank: undefined, withVectors: async () => of(backend) };
			const open = () => (rank === 0 ? createReferenceBackend() : expect.unreachable('that is the first’s'));
			return openSameBackend(processes, { ...cpu, type: 'auto' }, () => {}, open);
		}),
	);
	expect(opened.map(({ name }) => name)).toEqual(['reference', 'reference']);
});
