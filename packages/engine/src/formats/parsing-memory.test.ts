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

/** What the process holds once everything is gone that nobody can reach. */
function residentBytes(): number {
	collectGarbage();
	return process.memoryUsage.rss();
}

const parses = isNightly ? 50_000 : 5000;

test(`${parses} parses leave no more memory in use`, () => {
	const model = writeSmallModel(path.join(folder, 'model'));
	const damaged = path.join(folder, 'damaged.safetensors');
	writeFileSync(damaged, '\u0010\0\0\0\0\0\0\0{"a": not JSON }');
	/** One parse of what is whole, and one of what is refused. */
	const parse = () => {
		openModelFolder(model).close();
		expect(() => openSafetensors(damaged)).toThrow(/damaged/);
	};
	for (let done = 0; done < parses / 5; done += 2) parse();
	const warm = residentBytes();
	for (let done = 0; done < parses; done += 2) parse();
	expect(residentBytes() / warm).toBeLessThan(1.05);
});
