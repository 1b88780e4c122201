import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, expect, test } from 'vitest';
import { isNightly } from '../../../../tests/nightly/nightly.ts';
import { openModelFolder } from '../models/model-folder.ts';
import { openSafetensors } from './safetensors/reader.ts';
import { writeSmallModel } from './testing/small-model.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-parses-'));
afterAll(() => rmSync(folder, { recursive: true }));

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/**
 * What the process holds once everything is gone that nobody can reach: at night all of it, in the suite what JavaScript counts, since
 * the heap of a young process grows by pages that have nothing to do with a leak.
 */
function heldBytes(): number {
	collectGarbage();
	const { rss, heapUsed, external } = process.memoryUsage();
	return isNightly ? rss : heapUsed + external;
}

const parses = isNightly ? 50_000 : 5000;

test(`${parses} parses leave no more memory in use`, () => {
	const model = writeSmallModel(path.join(folder, 'model'));
	const damaged = path.join(folder, 'damaged.safetensors');
	writeFileSync(damaged, '\u0010\0\0\0\0\0\0\0{"a": not JSON }');
	let refusals = 0;
	/** One parse of what is whole, and one of what is refused. */
	const parse = () => {
		openModelFolder(model).close();
		refusals += isRefused(damaged) ? 1 : 0;
	};
	for (let done = 0; done < 0.4 * parses; done += 2) parse();
	const warm = heldBytes();
	for (let done = 0; done < parses; done += 2) parse();
	const grown = heldBytes() / warm;
	expect(grown).toBeLessThan(1.05);
	expect(refusals).toBe(0.7 * parses);
});

// an assertion would keep something of every call
function isRefused(file: string): boolean {
	try {
		openSafetensors(file).close();
		return false;
	} catch {
		return true;
	}
}
