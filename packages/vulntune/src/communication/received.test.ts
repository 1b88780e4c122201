import { createReferenceBackend, viewOf } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { createReceived } from './received.ts';

function open() {
	const backend = createReferenceBackend();
	const said: unknown[] = [];
	const gather = async <Message>(message: Message): Promise<readonly Message[]> => {
		said.push(message);
		return [message];
	};
	const vector = (length: number) => viewOf(backend.allocate('f32', length), [length]);
	return { backend, said, vector, received: createReceived(backend, { gather }) };
}

it('keeps its memory while the vector is as long, and holds no more than one piece', async () => {
	const { backend, vector, received } = open();
	const [long, short] = [vector(6), vector(4)];
	const first = await received.of(long, 4);
	expect(first.shape).toEqual([4]);
	expect(await received.of(long, 4)).toBe(first);
	expect((await received.of(short, 2)).shape).toEqual([2]);
	expect(backend.memory().liveBuffers).toBe(3);
	received.free();
	received.free();
	expect(backend.memory().liveBuffers).toBe(2);
	backend.close();
});

it('speaks to the others where the vector is another, whether or not its own part is as long', async () => {
	const { backend, said, vector, received } = open();
	const [long, short] = [vector(5), vector(4)];
	for (const one of [long, long, short, short]) await received.of(one, 2);
	expect(said).toHaveLength(2);
	received.free();
	const failing = { ...backend, allocate: () => expect.unreachable('no room') };
	const scarce = createReceived(failing, { gather: () => expect.unreachable('it has nothing to say') });
	await expect(scarce.of(long, 2)).rejects.toThrow('no room');
	backend.close();
});
