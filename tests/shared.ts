import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** The folder with datasets, golden values and models that tests may read; undefined where it is absent. */
const sharedFolder: string | undefined = findShared();

function findShared(): string | undefined {
	const folder = process.env.VULNTUNE_SHARED ?? path.join(projectRoot, '..', 'shared');
	return existsSync(folder) ? path.resolve(folder) : undefined;
}

/**
 * Where `part` of the shared folder lies, for `describe.skipIf(skip)`; prints why its tests are skipped when
 * it is not there.
 */
export function needsShared(part: string): { skip: boolean; path: string } {
	const location = sharedFolder === undefined ? undefined : path.join(sharedFolder, part);
	if (location !== undefined && existsSync(location)) return { skip: false, path: location };
	console.warn(
		`skipped: ${part} is not in the shared folder (set VULNTUNE_SHARED to the folder that holds it)`,
	);
	return { skip: true, path: part };
}

/** A folder of goldens in the layout that the fixtures' README describes. */
export interface Goldens {
	/** Names the set in the titles of tests. */
	readonly set: string;
	readonly folder: string;
}

/**
 * The goldens of a part of `fixtures`: the small ones that tests/golden/make.py makes, and those of the shared folder where it
 * is there.
 */
export function goldensOf(part: string): readonly Goldens[] {
	const own = { set: 'own', folder: path.join(projectRoot, 'tests', 'golden', 'fixtures', part) };
	const shared = needsShared(path.join('fixtures', part));
	return shared.skip ? [own] : [own, { set: 'shared', folder: shared.path }];
}
