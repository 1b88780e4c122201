/**
 * A signal that the first SIGINT or SIGTERM aborts.
 *
 * @param note tells the user what happens now
 */
export function onInterruption(note: (line: string) => void): AbortSignal {
	const controller = new AbortController();
	const interrupt = () => {
		if (controller.signal.aborted) process.exit(130);
		note('stopping as soon as everything is saved; once more to stop at once');
		controller.abort();
	};
	process.on('SIGINT', interrupt);
	process.on('SIGTERM', interrupt);
	return controller.signal;
}
