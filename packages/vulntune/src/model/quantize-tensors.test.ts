import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { createReferenceBackend, openModelFolder, type PlannedFiles } from '@vulntune/engine';
import { expect, test } from 'vitest';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { planTensors } from './quantize-plan.ts';
import { quantizeTensors } from './quantize-tensors.ts';

test('each matrix is written as it was quantised, however late the disk takes its bytes', async () => {
	const folder = openModelFolder(writeTinyModel(path.join(temporaryFolder(), 'model')));
	// reading takes no turn, so that only the writing is late
	const source = { ...folder, weights: { ...folder.weights, readInto: undefined } };
	const backend = createReferenceBackend();
	const options = { output: 'output', type: 'nf4', doubleQuantization: true } as const;
	const plan = planTensors(source, options);
	const written = async (turns: number) => {
		const files = new Map<string, Uint8Array>();
		const target: PlannedFiles = {
			async write(name, bytes) {
				for (let turn = 0; turn < turns; turn++) await setImmediate();
				files.set(name, bytes.slice());
			},
			finish: () => [],
			discard() {},
		};
		await quantizeTensors(source, target, plan, options, backend);
		return files;
	};
	expect(await written(10)).toEqual(await written(0));
	backend.close();
	folder.close();
});
