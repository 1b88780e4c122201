export interface Interruption {
	/** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
	readonly signal: AbortSignal;
	/** Gives the signals back to the process. */
	readonly dispose: () => void;
}

/** Signals that come within so many milliseconds are one: the end of a job is sent to all of its processes, and those that started this one pass it on. */
const oneMoment = 500;

/**
 * Listens for Ctrl-C: the first one asks the command to save and end, the second ends the process at once. A terminal that is closed
 * (SIGHUP) asks too, but never ends at once: the kernel and the shell each send one.
 *
 * @param note tells the user what happens now
 */
export function listenForInterruption(note: (line: string) => void): Interruption {
	const controller = new AbortController();
	let asked = 0;
	const interrupt = () => {
		if (controller.signal.aborted && performance.now() - asked > oneMoment) process.exit(130);
		ask();
	};
	const ask = () => {
		if (controller.signal.aborted) return;
		asked = performance.now();
		note('stopping as soon as everything is saved; once more to stop at once');
		controller.abort();
	};
	const signals = ['SIGINT', 'SIGTERM'] as const;
	for (const signal of signals) process.on(signal, interrupt);
	process.on('SIGHUP', ask);
	return {
		signal: controller.signal,
		dispose() {
			for (const signal of signals) process.off(signal, interrupt);
			process.off('SIGHUP', ask);
		},
	};
}
