import { connect, createServer } from 'node:net';
import { createReferenceBackend } from '@vulntune/engine';
import { expect, it, vi } from 'vitest';
import type { Launch } from './launch.ts';
import { openTorchrunChannel } from './torchrun.ts';

const launchOf = (rank: number, size: number): Launch => ({
	launcher: 'torchrun',
	by: 'torchrun',
	rank,
	size,
	localRank: rank,
});

/** A port that nothing listens on. */
function freePort(): Promise<number> {
	return new Promise((resolve) => {
		const server = createServer().listen(0, () => {
			const { port } = server.address() as { port: number };
			server.close(() => resolve(port));
		});
	});
}

async function open(size: number, whileWaiting: (port: number) => Promise<void> = async () => {}) {
	const port = await freePort();
	const environment = { MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port) };
	const first = openTorchrunChannel(launchOf(0, size), environment);
	await whileWaiting(port);
	const others = Array.from({ length: size - 1 }, (_, i) =>
		openTorchrunChannel(launchOf(i + 1, size), environment),
	);
	return Promise.all([first, ...others]);
}

it('gathers messages of any length in the order of the ranks', async () => {
	const channels = await open(3);
	for (const lengths of [
		[0, 3, 70_000],
		[200_000, 0, 1],
	]) {
		const messages = lengths.map((length, rank) => new Uint8Array(length).fill(rank + 1));
		const all = await Promise.all(channels.map((channel, rank) => channel.gatherBytes(messages[rank]!)));
		for (const one of all)
			expect(one.map((bytes) => Buffer.from(bytes))).toEqual(messages.map((bytes) => Buffer.from(bytes)));
	}
	await Promise.all(channels.map((channel) => channel.close()));
});

it('takes nobody else for a process of the run', async () => {
	let silentIsGone = false;
	const intruders = ['hello', 'vulntune-1 1 9', 'vulntune-1 7 2', 'vulntune-1 0 2'];
	const channels = await open(2, async (port) => {
		const silent = connect(port, '127.0.0.1')
			.on('close', () => (silentIsGone = true))
			.on('error', () => {});
		await new Promise((resolve) => silent.on('connect', resolve));
		for (const text of intruders) {
			const length = Buffer.alloc(4);
			length.writeUInt32LE(text.length);
			await new Promise<void>((resolve) => {
				const socket = connect(port, '127.0.0.1', () =>
					socket.write(Buffer.concat([length, Buffer.from(text)])),
				);
				socket.on('close', () => resolve()).resume();
			});
		}
	});
	const all = await Promise.all(channels.map((channel, rank) => channel.gatherBytes(Uint8Array.of(rank))));
	expect(all[1]!.map((bytes) => bytes[0])).toEqual([0, 1]);
	await vi.waitFor(() => expect(silentIsGone).toBe(true));
	await Promise.all(channels.map((channel) => channel.close()));
});

it('takes the first that says a number for the process of that number', async () => {
	const environment = { MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(await freePort()) };
	const join = (rank: number) => openTorchrunChannel(launchOf(rank, 3), environment);
	const first = join(0);
	const [second, other, third] = [await join(1), await join(1), await join(2)];
	const processes = [await first, second, third];
	const all = await Promise.all(processes.map((channel, rank) => channel.gatherBytes(Uint8Array.of(rank))));
	expect(all[0]!.map((bytes) => bytes[0])).toEqual([0, 1, 2]);
	await expect(other.gatherBytes(Uint8Array.of(9))).rejects.toMatchObject({ code: 'PROCESSES_UNREACHABLE' });
	await Promise.all([...processes, other].map((channel) => channel.close()));
});

it('ends where another process is gone', async () => {
	const [first, second] = await open(2);
	await second!.close();
	await expect(first!.gatherBytes(Uint8Array.of(1))).rejects.toMatchObject({ code: 'PROCESSES_UNREACHABLE' });
	await first!.close();
});

it('is for cards', async () => {
	const channels = await open(2);
	const backend = createReferenceBackend();
	const communicator = { rank: 0, size: 2, gather: () => expect.unreachable('nothing is said') };
	await expect(channels[0]!.withVectors(backend, communicator)).rejects.toMatchObject({
		code: 'LAUNCH_NEEDS_MPI',
	});
	await Promise.all(channels.map((channel) => channel.close()));
});

it.each([
	[{ MASTER_PORT: '29500' }, 'MASTER_ADDR is not set'],
	[{ MASTER_ADDR: 'localhost' }, 'MASTER_PORT is not set'],
	[{ MASTER_ADDR: 'localhost', MASTER_PORT: 'x' }, 'MASTER_PORT is x'],
])('refuses %o', async (environment, message) => {
	const opening = openTorchrunChannel(launchOf(0, 2), environment);
	await expect(opening).rejects.toMatchObject({
		code: 'LAUNCH_VARIABLE',
		summary: expect.stringContaining(message),
	});
});
