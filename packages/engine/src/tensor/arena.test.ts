import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from '../backends/reference/reference-backend.ts';
import { viewOf } from '../backends/view.ts';
import { Arena } from './arena.ts';

function setUp() {
	const backend = createReferenceBackend();
	return { backend, arena: new Arena(backend), live: () => backend.memory().liveBuffers };
}

describe('an arena', () => {
	test('frees a buffer with its last holder', () => {
		const { arena, live } = setUp();
		const view = arena.allocate('f32', [2, 3]);
		arena.retain(view);
		arena.retain({ ...view, shape: [6] });
		expect(arena.holders(view)).toBe(3);
		arena.release(view);
		arena.release(view);
		expect([arena.holders(view), live()]).toEqual([1, 1]);
		arena.release(view);
		expect([arena.holders(view), arena.liveBuffers, live()]).toEqual([0, 0, 0]);
	});

	test('leaves memory of others alone', () => {
		const { backend, arena, live } = setUp();
		const foreign = viewOf(backend.allocate('f32', 4), [4]);
		arena.retain(foreign);
		arena.release(foreign);
		arena.release(foreign);
		arena.close();
		expect([arena.holders(foreign), live()]).toEqual([0, 1]);
	});

	test('frees what is left when it is closed, however many hold it', () => {
		const { arena, live } = setUp();
		const view = arena.allocate('i32', [1]);
		arena.retain(view);
		arena.allocate('f32', [5]);
		arena.close();
		expect([arena.liveBuffers, live()]).toEqual([0, 0]);
		arena.close();
	});

	test('hands a buffer over to another arena, which then frees it', () => {
		const { backend, arena, live } = setUp();
		const outer = new Arena(backend);
		const view = arena.allocate('f32', [2]);
		arena.moveTo(outer, view);
		arena.close();
		expect([outer.holders(view), live()]).toEqual([1, 1]);
		// what the other has already gets one holder more
		arena.moveTo(outer, view);
		expect(outer.holders(view)).toBe(2);
		outer.close();
		expect(live()).toBe(0);
	});
});
