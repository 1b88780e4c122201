import { once } from 'node:events';
import { expect, test } from 'vitest';
import { dropPreparedThread, prepareThread, takeThread } from './prepared-thread.ts';

/** A module that answers what it is told with its own name. */
const answering = (name: string) =>
	new URL(
		`data:text/javascript,import{parentPort}from'node:worker_threads';parentPort.once('message',(m)=>parentPort.postMessage('${name} '+m))`,
	);

test('a prepared thread is given out once, for its own script', async () => {
	prepareThread(answering('prepared'));
	const other = takeThread(answering('other'));
	const prepared = takeThread(answering('prepared'));
	const again = takeThread(answering('prepared'));
	expect(new Set([other, prepared, again]).size).toBe(3);
	const answers = [other, prepared, again].map(async (thread, i) => {
		const answer = once(thread, 'message');
		thread.postMessage(i);
		return (await answer)[0];
	});
	expect(await Promise.all(answers)).toEqual(['other 0', 'prepared 1', 'prepared 2']);
	for (const thread of [other, prepared, again]) await thread.terminate();
});

test('a dropped thread has ended, and the next one is new', async () => {
	const script = answering('new');
	prepareThread(script);
	expect(await dropPreparedThread()).toBeTypeOf('number');
	expect(await dropPreparedThread()).toBeUndefined();
	const thread = takeThread(script);
	const answer = once(thread, 'message');
	thread.postMessage('one');
	expect((await answer)[0]).toBe('new one');
	await thread.terminate();
});
