import { VulntuneError } from '@vulntune/engine';

/** Throws INTERRUPTED where the user asked to stop: what isn't whole is taken away again. */
export function stopIfInterrupted(signal: AbortSignal | undefined, output: string): void {
	if (signal?.aborted !== true) return;
	throw new VulntuneError({
		code: 'INTERRUPTED',
		kind: 'interrupted',
		message: 'stopped before the model was whole; nothing was written',
		place: output,
		remedy: 'Run the same command again.',
	});
}
