import { readFileSync } from 'node:fs';
import os from 'node:os';
import { type Backend, type BackendChoice, createBackend } from '@vulntune/engine';
import type { Processes } from './communicator.ts';
import { fromFirst } from './from-first.ts';

/**
 * The backend of this process among those of its machine: they share its cores out, unless the launcher has given each of them cores
 * of its own or `backend.threads` says how many each takes; where they see the same cards, each takes another one, from
 * `backend.device` on.
 */
export async function ownBackend(choice: BackendChoice, processes: Processes): Promise<BackendChoice> {
	if (processes.size === 1) return choice;
	const { localRank } = processes;
	const own = { host: os.hostname(), cores: allowedCores(), cards: process.env.CUDA_VISIBLE_DEVICES ?? '' };
	const all = await processes.gather(own);
	const sharing = (what: 'cores' | 'cards') =>
		[...all.keys()].filter((rank) => all[rank]!.host === own.host && all[rank]![what] === own[what]);
	const sameCards = sharing('cards');
	const index =
		localRank !== undefined && sameCards.length > 1 ? localRank : sameCards.indexOf(processes.rank);
	return {
		...choice,
		threads:
			choice.threads === 'auto'
				? Math.max(1, Math.floor(os.availableParallelism() / sharing('cores').length))
				: choice.threads,
		...(choice.type === 'cuda' ? { device: (choice.device ?? 0) + index } : {}),
	};
}

/**
 * The first process opens its backend, the others one of the same kernels: bytes depend on them, and `auto` is measured and may come out
 * differently in each. Throws CPU_ISA where a machine lacks the instruction set of the first.
 */
export async function openSameBackend(
	processes: Processes,
	choice: BackendChoice,
	note: (line: string) => void,
	open: (choice: BackendChoice) => Backend,
): Promise<Backend> {
	if (processes.size === 1) return open(choice);
	const own = processes.rank === 0 ? open(choice) : undefined;
	const { type, isa } = await fromFirst(processes, () => ({
		type: own!.name as BackendChoice['type'],
		isa: own!.name === 'cpu' ? own!.hardware.isa! : choice.isa,
	}));
	return own ?? createBackend({ ...choice, type, isa }, note);
}

/** Which cores the process may use, as Linux writes it: `0-3,8`; empty on other systems. */
function allowedCores(): string {
	try {
		return /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
	} catch {
		return '';
	}
}
