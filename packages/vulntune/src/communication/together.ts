import type { Backend } from '@vulntune/engine';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { deserializeError, type SerializedError, serializeError } from '../run/serialized-error.ts';
import { alone, type Communicator, type Processes, type VectorCommunicator } from './communicator.ts';
import { decodeMessage, encodeMessage } from './message.ts';

/** What carries bytes between the processes that a launcher has started. */
export interface Channel {
	readonly rank: number;
	readonly size: number;
	readonly localRank: number | undefined;
	/** The bytes of every process, in the order of their ranks. Throws where the others can't be reached any more. */
	gatherBytes(bytes: Uint8Array): Promise<readonly Uint8Array[]>;
	withVectors(backend: Backend, communicator: Communicator): Promise<VectorCommunicator>;
	/** Ends the connection: every process of the run calls it. */
	close(): Promise<void>;
}

/** What a process comes to that is not the first: the first has the outcome, and tells of it. */
export interface Followed {
	readonly status: 'followed';
}

/** Another process has said that it failed, and all end by it. */
class PeerFailure extends Error {
	readonly error: Error;
	constructor(error: Error) {
		super(error.message);
		this.error = error;
	}
}

type Said = { readonly message: unknown } | { readonly failure: SerializedError };

/**
 * Runs the same work in every process of a channel. Where it fails in one of them, all end: with the error in the first process,
 * whose user reads it, and quietly in the others. A process that is killed can't say so; then its launcher ends the others.
 *
 * @param channel undefined for a run of one process
 */
export async function runTogether<Outcome>(
	channel: Channel | undefined,
	work: (processes: Processes) => Promise<Outcome>,
): Promise<Outcome | Followed> {
	if (channel === undefined) return work(alone);
	const { rank, size, localRank } = channel;
	const exchange = async (said: Said): Promise<readonly Said[]> =>
		(await channel.gatherBytes(encodeMessage(said))).map((bytes) => decodeMessage(bytes) as Said);
	const gather = async <Message>(message: Message): Promise<readonly Message[]> => {
		const said = await exchange({ message });
		for (const [speaker, one] of said.entries()) {
			if ('failure' in one) throw new PeerFailure(named(deserializeError(one.failure), speaker));
		}
		return said.map((one) => (one as { message: Message }).message);
	};
	const communicator: Communicator = { rank, size, gather };
	const withVectors = (backend: Backend) => channel.withVectors(backend, communicator);
	const isFirst = rank === 0;
	try {
		const outcome = await work({ ...communicator, localRank, withVectors });
		// the first writes what a run ends with: as long as it may fail, the others are there to hear of it
		await gather('done');
		await channel.close();
		return isFirst ? outcome : { status: 'followed' };
	} catch (thrown) {
		if (!(thrown instanceof PeerFailure)) {
			try {
				// the others wait for a message: this is the one that they get
				await exchange({ failure: serializeError(thrown) });
			} catch {
				// they can't be reached, which is what was thrown
				throw thrown;
			}
		}
		await channel.close();
		if (isFirst) throw thrown instanceof PeerFailure ? thrown.error : thrown;
		return { status: 'followed' };
	}
}

/** The error with the process that it comes from. */
function named(error: Error, rank: number): Error {
	if (!(error instanceof VulntuneError))
		return new Error(`process ${rank}: ${error.message}`, { cause: error });
	const { code, kind, place, remedy, summary } = error;
	return new VulntuneError({
		code,
		kind,
		message: `process ${rank}: ${summary}`,
		...(place === undefined ? {} : { place }),
		...(remedy === undefined ? {} : { remedy }),
		cause: error,
	});
}
