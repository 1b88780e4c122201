import { createHash } from 'node:crypto';
import path from 'node:path';
import { canonicalJson, VulntuneError } from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { configToYaml } from '../config/yaml-text.ts';
import { loadDataset } from '../data/dataset.ts';
import { openTrainingBase } from '../fine-tuning/start-adapter.ts';
import { identityHash, type TrainingInputs, trainingIdentity } from '../run/identity.ts';
import type { GridCell } from './grid/load-grid.ts';
import type { CellEntry } from './ledger/cells.ts';

/** Finds what makes the runs of cells these; reads each dataset and each base once. */
export interface Identifier {
	entryOf(cell: GridCell, position: number, rung?: number): Promise<CellEntry>;
}

/** Folders of runs are named by so much of their identity. */
const nameLength = 16;

export function createIdentifier(): Identifier {
	const datasets = new Map<string, Promise<string>>();
	const bases = new Map<string, Omit<TrainingInputs, 'datasetHash'>>();

	const hashOf = ({ data: { path: location, onBadRow } }: Config): Promise<string> => {
		const key = `${onBadRow} ${location}`;
		const known = datasets.get(key);
		if (known !== undefined) return known;
		const found = loadDataset(location, { onBadRow }).then(({ hash }) => hash);
		datasets.set(key, found);
		return found;
	};
	const baseOf = (config: Config): Omit<TrainingInputs, 'datasetHash'> => {
		if (config.method.type === 'ngram') return { base: undefined, start: undefined };
		const { model, method, objective, sequence } = config;
		// all that decides whether the base can be opened for it
		const key = canonicalJson({ model, method, objective, length: sequence.length });
		const known = bases.get(key);
		if (known !== undefined) return known;
		const { base, start } = openTrainingBase(config, false, () => {});
		base.close();
		const inputs = { base: base.fingerprint, start: start?.hash };
		bases.set(key, inputs);
		return inputs;
	};

	return {
		async entryOf({ name, settings, config }, position, rung = 0) {
			const cell = { position, name, settings: Object.fromEntries(settings), rung };
			const yaml = configToYaml({ ...config, output: undefined });
			try {
				const inputs = { ...baseOf(config), datasetHash: await hashOf(config) };
				const id = identityHash(trainingIdentity(config, inputs));
				const { datasetHash, base } = inputs;
				const baseFingerprint = base === undefined ? null : JSON.stringify(base);
				return {
					...cell,
					run: { id, folder: runPath(id), config: yaml, datasetHash, baseFingerprint },
				};
			} catch (error) {
				if (!(error instanceof VulntuneError)) throw error;
				const id = `unidentified-${createHash('sha256').update(yaml).digest('hex')}`;
				return {
					...cell,
					run: {
						...{ id, folder: runPath(id), config: yaml, datasetHash: null, baseFingerprint: null },
						error,
					},
				};
			}
		},
	};
}

function runPath(id: string): string {
	return path.join('runs', id.slice(0, nameLength));
}
