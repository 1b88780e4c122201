import { createReferenceBackend } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { createReceived } from './received.ts';

it('keeps its memory while the length stays, and holds no more than one piece', () => {
	const backend = createReferenceBackend();
	const received = createReceived(backend);
	const first = received.of(6);
	expect(first.shape).toEqual([6]);
	expect(received.of(6)).toBe(first);
	expect(received.of(4).shape).toEqual([4]);
	expect(backend.memory().liveBuffers).toBe(1);
	received.free();
	received.free();
	expect(backend.memory().liveBuffers).toBe(0);
	backend.close();
});
