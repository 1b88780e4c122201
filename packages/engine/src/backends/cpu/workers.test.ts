import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { viewOf } from '../view.ts';
import { kernelBackends } from './testing.ts';

const worker = `
	const { parentPort, workerData } = require('node:worker_threads');
	import(workerData.testing).then(({ kernelBackends }) => {
		const backend = kernelBackends.find(({ name }) => name === workerData.name).create({ threads: 2 });
		const buffer = backend.allocate('f32', 100_000);
		const view = { buffer, offset: 0, dtype: 'f32', shape: [100_000] };
		backend.fill(view, 0);
		for (let i = 0; i < 200; i++) backend.add(view, view, view);
		backend.fill(view, workerData.value);
		parentPort.postMessage(backend.download(view).every((value) => value === workerData.value));
		// Ends without close(): the thread's engine ends with it.
	});
`;

it.each(kernelBackends)('$name serves several threads of one process at once', async ({ name, create }) => {
	const workers = [1, 2, 3].map(
		(value) =>
			new Promise((resolve, reject) => {
				const workerData = { testing: new URL('./testing.ts', import.meta.url).href, name, value };
				new Worker(worker, { eval: true, workerData }).on('message', resolve).on('error', reject);
			}),
	);
	const backend = create({ threads: 2 });
	const view = viewOf(backend.allocate('f32', 1000), [1000]);
	backend.fill(view, 4);
	expect(await Promise.all(workers)).toEqual([true, true, true]);
	expect(backend.download(view).every((value) => value === 4)).toBe(true);
	backend.close();
});
