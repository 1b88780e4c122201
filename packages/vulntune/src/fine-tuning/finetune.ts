import { loadConfig, resolveConfig } from '../config/load.ts';
import type { ConfigInput } from '../config/schema.ts';
import type { RunOutcome, TrainingEvent } from './run-events.ts';
import { startTraining } from './start-training.ts';

/** A run that goes on in a thread of its own: `for await` tells how far it is, `result` what it came to. */
export interface FineTuning extends AsyncIterable<TrainingEvent> {
	/** Rejects with the VulntuneError that ended the run. */
	readonly result: Promise<RunOutcome>;
	/** Asks the run to save and end, as Ctrl-C does; `resume` goes on from there. What it came to by then. */
	stop(): Promise<RunOutcome>;
}

export interface FineTuningOptions {
	/** Goes on with the run in the output folder. */
	readonly resume?: boolean;
	/** Replaces the run in the output folder. */
	readonly overwrite?: boolean;
	/** Goes on, or starts from an adapter, with another base than it was made on. */
	readonly allowOtherBase?: boolean;
}

/**
 * Fine-tunes as `vulntune train` does: base model, dataset and method in, run folder out.
 *
 * A slow loop misses states (`training`, `scoring`) that newer ones have replaced, and no `note` or `record`. Leaving the loop stops
 * the run; a run that fails ends the loop with its error, which is also that of `result`. An event goes to one loop.
 *
 * @param config options as in a YAML file, paths from the working folder; or the name of such a file
 *
 * @example
 * const run = finetune({ model: 'models/smollm2-135m', data: { path: 'data/x1' }, method: { type: 'qlora' } });
 * for await (const event of run) if (event.type === 'training') console.log(event.epoch, event.loss);
 * const outcome = await run.result;
 */
export function finetune(
	config: ConfigInput | string,
	{ resume = false, overwrite = false, allowOtherBase = false }: FineTuningOptions = {},
): FineTuning {
	const interruption = new AbortController();
	const events = eventQueue();
	const result = start().finally(events.end);

	return {
		result,
		stop() {
			interruption.abort();
			return result;
		},
		async *[Symbol.asyncIterator]() {
			// an error waits for the loop to come to it
			result.catch(() => {});
			try {
				yield* events.read();
			} finally {
				interruption.abort();
				await result;
			}
		},
	};

	async function start(): Promise<RunOutcome> {
		const place = { place: 'finetune', folder: process.cwd() };
		const resolved = typeof config === 'string' ? loadConfig(config) : resolveConfig(config, place);
		return startTraining(resolved, { resume, overwrite, allowOtherBase }, events.push, interruption.signal);
	}
}

/** Events on their way to a reader that may be slower: of states only the newest waits, of all else everything. */
function eventQueue() {
	const unread: TrainingEvent[] = [];
	let isEnded = false;
	let wake = () => {};
	const isState = ({ type }: TrainingEvent) => type === 'training' || type === 'scoring';

	return {
		push(event: TrainingEvent): void {
			const replaced = isState(event) ? unread.findIndex(isState) : -1;
			if (replaced >= 0) unread.splice(replaced, 1);
			unread.push(event);
			wake();
		},
		end(): void {
			isEnded = true;
			wake();
		},
		async *read(): AsyncGenerator<TrainingEvent> {
			while (true) {
				while (unread.length > 0) yield unread.shift()!;
				if (isEnded) return;
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
		},
	};
}
