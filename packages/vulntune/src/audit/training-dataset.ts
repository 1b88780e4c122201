import { inputError } from '@vulntune/engine/errors.ts';
import { type Dataset, type DatasetOptions, loadDataset } from '../data/dataset.ts';
import { type RowSample, sampleRows } from '../data/sample-rows.ts';
import { cachedAudit } from './audit-cache.ts';
import { auditWarning } from './audit-text.ts';
import { dropNearDuplicates } from './drop-near-duplicates.ts';
import { readProjects } from './projects.ts';

/** The `data` section of a config, as far as it says which rows are read. */
export interface DataSource {
	readonly path: string;
	readonly onBadRow: 'error' | 'skip';
	readonly projects: string | null;
	readonly dropNearDuplicates: boolean;
	readonly sample: RowSample;
	readonly sampleSeed: number;
}

/**
 * The dataset that a config names: what every command that learns from it or measures on it reads.
 *
 * Throws what `loadDataset` and `sampleRows` throw, DATASET_EMPTY where all rows of a split are near-duplicates of later ones.
 */
export async function loadConfiguredDataset(
	source: DataSource,
	options: DatasetOptions = {},
): Promise<Dataset> {
	return configured(await loadDataset(source.path, { onBadRow: source.onBadRow, ...options }), source);
}

/** A dataset with the rows alone that a config reads of it. */
export function configured(dataset: Dataset, source: DataSource): Dataset {
	return sampled(source.dropNearDuplicates ? withoutDuplicates(dataset, source) : dataset, source);
}

function withoutDuplicates(dataset: Dataset, source: DataSource): Dataset {
	const { splits, dropped } = dropNearDuplicates(dataset.splits);
	for (const split of ['train', 'valid'] as const) {
		if (splits[split].length > 0 || dropped[split] === 0) continue;
		throw inputError('DATASET_EMPTY', `all rows of ${split}.jsonl are near-duplicates of later splits`, {
			place: source.path,
			remedy: 'Leave out data.dropNearDuplicates, or split the data anew: vulntune dataset split.',
		});
	}
	return { ...dataset, splits, leftOut: { ...dataset.leftOut, nearDuplicates: dropped } };
}

function sampled(dataset: Dataset, { sample, sampleSeed }: DataSource): Dataset {
	const { train } = dataset.splits;
	// a split that nobody asked for is empty
	if (sample === null || train.length === 0) return dataset;
	const drawn = sampleRows(train, sample, sampleSeed);
	return {
		...dataset,
		splits: { ...dataset.splits, train: drawn },
		leftOut: { ...dataset.leftOut, notSampled: train.length - drawn.length },
	};
}

/** The same for a run, which is told in a line what of test and validation its training rows know. */
export async function loadAuditedDataset(source: DataSource, note: (line: string) => void): Promise<Dataset> {
	const projects = readProjects(source.projects);
	const dataset = await loadConfiguredDataset(source);
	const drawn = JSON.stringify([source.sample, source.sampleSeed]);
	const key = `${dataset.hash} ${dataset.leftOut.rows} ${source.dropNearDuplicates} ${drawn}`;
	const warning = auditWarning(await cachedAudit(dataset.splits, projects, key), source.path);
	if (warning !== undefined) note(warning);
	return dataset;
}
