import { createServer, type Server, Socket } from 'node:net';
import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import { type Environment, type Launch, readNumber } from './launch.ts';
import { createNcclVectors } from './nccl/vectors.ts';
import type { Channel } from './together.ts';

/** The first bytes of a connection, so that nothing else is taken for a process of the run. */
const GREETING = 'vulntune-1';
/** Of one message: more than any run has to say, less than memory has room for. */
const MOST_BYTES = 2 ** 28;

/**
 * The processes that torchrun has started, or anything else that sets its variables: the first listens, the others connect to it and
 * say by it what is no vector. Vectors go from card to card by NCCL.
 *
 * Torchrun listens on MASTER_PORT itself where it says so (TORCHELASTIC_USE_AGENT_STORE); then the port is the one above.
 *
 * Throws LAUNCH_VARIABLE, PROCESSES_UNREACHABLE (runtime).
 */
export async function openTorchrunChannel(launch: Launch, environment: Environment): Promise<Channel> {
	const { rank, size, localRank } = launch;
	const isTaken = environment.TORCHELASTIC_USE_AGENT_STORE === 'True';
	const port = readNumber('MASTER_PORT', environment, 1) + (isTaken ? 1 : 0);
	const host = environment.MASTER_ADDR ?? '';
	if (host === '') {
		throw inputError(
			'LAUNCH_VARIABLE',
			'the variable MASTER_ADDR is not set, but the first process is known by it',
			{
				place: 'the environment',
				remedy: 'Start the processes with torchrun, which sets it.',
			},
		);
	}
	const star = rank === 0 ? await listen(port, size) : await connect(host, port, rank, size);
	return {
		rank,
		size,
		localRank,
		gatherBytes: star.gatherBytes,
		async withVectors(backend, communicator) {
			if (backend.name === 'cuda') return createNcclVectors(backend, communicator);
			throw inputError(
				'LAUNCH_NEEDS_MPI',
				`${launch.launcher} has started ${size} processes, which work together on cards alone, but the backend is ${backend.name}`,
				{ place: 'backend.type', remedy: 'Choose cuda, or start the processes with mpirun or srun.' },
			);
		},
		close: star.close,
	};
}

/** One end of the connections between the first process and each of the others. */
type Star = Pick<Channel, 'gatherBytes' | 'close'>;

async function listen(port: number, size: number): Promise<Star> {
	const peers = await acceptAll(port, size);
	return {
		async gatherBytes(bytes) {
			const all = [bytes];
			for (let rank = 1; rank < size; rank++) all.push(await peers[rank]!.receive());
			for (let rank = 1; rank < size; rank++) for (const message of all) peers[rank]!.send(message);
			return all;
		},
		async close() {
			for (const peer of peers) peer?.end();
		},
	};
}

/** Waits for as long as the launcher does: it ends all where a process doesn't start. */
function acceptAll(port: number, size: number): Promise<Line[]> {
	return new Promise((resolve, reject) => {
		const peers: Line[] = [];
		// who hasn't said who it is when all are there would keep this process from its end
		const unknown = new Set<Socket>();
		const server: Server = createServer(async (socket) => {
			const line = lineOf(socket);
			unknown.add(socket);
			try {
				const [greeting, rank, itsSize] = new TextDecoder().decode(await line.receive()).split(' ');
				const number = Number(rank);
				const isPeer = greeting === GREETING && Number(itsSize) === size && number > 0 && number < size;
				if (!isPeer || peers[number] !== undefined) return line.end();
				peers[number] = line;
				unknown.delete(socket);
				if (peers.filter((peer) => peer !== undefined).length < size - 1) return;
				server.close();
				for (const stranger of unknown) stranger.destroy();
				resolve(peers);
			} catch {
				// whoever it was has gone before it has said who it is
				line.end();
			}
		});
		server.on('error', (cause) =>
			reject(unreachable(`port ${port} can't be listened on: ${cause.message}`, cause)),
		);
		server.listen(port);
	});
}

async function connect(host: string, port: number, rank: number, size: number): Promise<Star> {
	const line = lineOf(await connected(host, port));
	line.send(new TextEncoder().encode(`${GREETING} ${rank} ${size}`));
	return {
		async gatherBytes(bytes) {
			line.send(bytes);
			const all: Uint8Array[] = [];
			while (all.length < size) all.push(await line.receive());
			return all;
		},
		async close() {
			line.end();
		},
	};
}

/** Milliseconds between attempts, and of all of them: the first process may still be loading. */
const attempts = { every: 200, all: 120_000 } as const;

async function connected(host: string, port: number): Promise<Socket> {
	const start = performance.now();
	while (true) {
		const outcome = await new Promise<Socket | Error>((resolve) => {
			const socket = new Socket();
			socket.once('error', resolve);
			socket.connect(port, host, () => resolve(socket));
		});
		if (!(outcome instanceof Error)) return outcome;
		if (performance.now() - start > attempts.all) {
			throw unreachable(`the first process can't be reached at ${host}:${port}: ${outcome.message}`, outcome);
		}
		await new Promise((resolve) => setTimeout(resolve, attempts.every));
	}
}

/** A connection that carries messages, each behind its length. */
interface Line {
	send(message: Uint8Array): void;
	/** The next message. Throws PROCESSES_UNREACHABLE where the other end is gone. */
	receive(): Promise<Uint8Array>;
	end(): void;
}

function lineOf(socket: Socket): Line {
	socket.setNoDelay(true);
	const bytes = socket[Symbol.asyncIterator]();
	let unread = Buffer.alloc(0);
	socket.on('error', () => socket.destroy());
	const take = async (count: number): Promise<Buffer> => {
		while (unread.length < count) {
			const chunk = await bytes.next().catch((cause) => ({ done: true as const, value: cause }));
			if (chunk.done) throw unreachable('another process of the run is gone', chunk.value);
			unread = Buffer.concat([unread, chunk.value as Buffer]);
		}
		const taken = unread.subarray(0, count);
		unread = unread.subarray(count);
		return taken;
	};
	return {
		send(message) {
			const length = Buffer.alloc(4);
			length.writeUInt32LE(message.byteLength);
			socket.write(length);
			socket.write(message);
		},
		async receive() {
			const length = (await take(4)).readUInt32LE();
			if (length > MOST_BYTES) throw unreachable(`a message of ${length} bytes came, which no process sends`);
			return take(length);
		},
		end: () => void socket.end(),
	};
}

function unreachable(message: string, cause?: unknown): Error {
	return new VulntuneError({
		code: 'PROCESSES_UNREACHABLE',
		kind: 'runtime',
		message,
		remedy: 'Start all processes again; --resume goes on from the last checkpoint.',
		cause,
	});
}
