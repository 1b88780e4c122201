import { parentPort } from 'node:worker_threads';
import { takeThread } from './prepared-thread.ts';
import { deserializeError, type SerializedError, serializeError } from './serialized-error.ts';

/** How a run tells what it does, and hears that it should end. Events are plain data: they cross threads. */
export interface Signals<Event> {
	readonly emit: (event: Event) => void;
	/** True once the run should save and stop. */
	readonly interrupted: () => boolean;
}

/** The message that a thread waits for when its modules are loaded. */
interface ThreadInput<Input> {
	readonly input: Input;
	/** Int32 [1], shared: not 0 once the run should save and stop. A run never yields to messages. */
	readonly interruption: SharedArrayBuffer;
}

type ThreadMessage<Event, Outcome> =
	| { readonly type: 'event'; readonly event: Event }
	| { readonly type: 'outcome'; readonly outcome: Outcome }
	| { readonly type: 'error'; readonly error: SerializedError };

/**
 * Starts a run on a thread of its own, so that progress and signals stay live while kernels run.
 *
 * @param script a module that calls `serveRun`
 * @param interruption aborted: the run saves what it has and ends
 */
export function startRun<Input, Event, Outcome>(
	script: URL,
	input: Input,
	onEvent: (event: Event) => void,
	interruption?: AbortSignal,
): Promise<Outcome> {
	const shared = new SharedArrayBuffer(4);
	const flag = new Int32Array(shared);
	const interrupt = () => Atomics.store(flag, 0, 1);
	if (interruption?.aborted === true) interrupt();
	interruption?.addEventListener('abort', interrupt);
	const worker = takeThread(script);
	worker.postMessage({ input, interruption: shared } satisfies ThreadInput<Input>);
	return new Promise<Outcome>((resolve, reject) => {
		worker.on('message', (message: ThreadMessage<Event, Outcome>) => {
			if (message.type === 'outcome') resolve(message.outcome);
			else if (message.type === 'error') reject(deserializeError(message.error));
			else onEvent(message.event);
		});
		worker.on('error', reject);
		worker.on('exit', (code) => reject(new Error(`the thread of the run ended early with code ${code}`)));
	}).finally(() => interruption?.removeEventListener('abort', interrupt));
}

/** The other end of `startRun`, called by the thread's module. */
export async function serveRun<Input, Event, Outcome>(
	run: (input: Input, signals: Signals<Event>) => Promise<Outcome>,
): Promise<void> {
	const { input, interruption } = await new Promise<ThreadInput<Input>>((resolve) => {
		parentPort?.once('message', resolve);
	});
	const flag = new Int32Array(interruption);
	const send = (message: ThreadMessage<Event, Outcome>) => parentPort?.postMessage(message);
	try {
		const outcome = await run(input, {
			emit: (event) => send({ type: 'event', event }),
			interrupted: () => Atomics.load(flag, 0) !== 0,
		});
		send({ type: 'outcome', outcome });
	} catch (error) {
		send({ type: 'error', error: serializeError(error) });
	}
}
