import os from 'node:os';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { parse } from 'yaml';
import { resolveConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { planTraining } from '../plan/plan-training.ts';
import type { Identifier } from './identify.ts';
import { type LedgerCell, readCells } from './ledger/cells.ts';
import type { Ledger } from './ledger/open-ledger.ts';
import { readEpochs } from './ledger/results.ts';

/** A finished run, with what says how fast it was. */
export interface FinishedRun {
	readonly cell: LedgerCell;
	/** That were trained, which early stopping may have made fewer. */
	readonly epochs: number;
}

export function readFinishedRuns(ledger: Ledger): FinishedRun[] {
	return readCells(ledger)
		.filter(({ status }) => status === 'finished')
		.map((cell) => ({ cell, epochs: readEpochs(ledger, cell.runId).length }));
}

/** Operations per second that a run of this config reaches on a backend; undefined where no finished run says so. */
export type MeasuredSpeed = (config: Config, backend: string) => Promise<number | undefined>;

/** What decides how fast a cell is, from all of it to what decides most. */
const likenesses: readonly ((config: Config) => readonly unknown[])[] = [
	({ model, method, training, sequence }) => [
		...[model, method.type, method.base, training.precision, sequence.length],
	],
	({ model, method, training }) => [model, method.type, training.precision],
];

/**
 * The speed that finished runs of a ledger had on this machine, of those that are most like a cell the one that took longest. A short
 * measurement of products knows nothing of what a whole run does beside them, nor of what else the machine has to do.
 */
export function measuredSpeed(finished: readonly FinishedRun[], identifier: Identifier): MeasuredSpeed {
	const runs = finished
		.filter(({ cell }) => cell.seconds !== null && cell.seconds > 0)
		.map((run) => ({ ...run, config: configOf(run.cell), environment: environmentOf(run.cell) }))
		.filter(
			({ environment: { cpu, cores } }) => cpu === os.cpus()[0]?.model && cores === os.availableParallelism(),
		)
		.toSorted((a, b) => b.cell.seconds! - a.cell.seconds!);
	const speeds = new Map<string, Promise<number | undefined>>();
	const speedOf = ({ cell, config, epochs }: (typeof runs)[number]) => {
		const known = speeds.get(cell.runId) ?? speedOfRun(cell, config, epochs, identifier);
		speeds.set(cell.runId, known);
		return known;
	};
	return async (config, backend) => {
		for (const likeness of likenesses) {
			const wanted = JSON.stringify(likeness(config));
			for (const run of runs) {
				if (run.environment.backend !== backend || JSON.stringify(likeness(run.config)) !== wanted) continue;
				const speed = await speedOf(run);
				if (speed !== undefined) return speed;
			}
		}
		return undefined;
	};
}

/** undefined where its data or its base are not what it was made with, or not there any more. */
async function speedOfRun(
	cell: LedgerCell,
	config: Config,
	epochs: number,
	identifier: Identifier,
): Promise<number | undefined> {
	try {
		const { run } = await identifier.entryOf({ name: '', settings: new Map(), config }, 0);
		if (run.id !== cell.runId) return undefined;
		const { operations } = await planTraining({ ...config, training: { ...config.training, epochs } });
		return operations === null ? undefined : operations / cell.seconds!;
	} catch (error) {
		if (!(error instanceof VulntuneError)) throw error;
		return undefined;
	}
}

/** As the ledger keeps it, with the defaults of options that its version did not have. */
function configOf({ config }: LedgerCell): Config {
	return resolveConfig(parse(config), { place: 'ledger.sqlite', folder: '.', isRecord: true });
}

interface MachineFacts {
	readonly cpu?: string;
	readonly cores?: number;
	readonly backend?: string;
}

function environmentOf({ environment }: LedgerCell): MachineFacts {
	return JSON.parse(environment ?? '{}') as MachineFacts;
}
