/** One of the processes of `vulntune experiment run --jobs`. */
import { toVulntuneError } from '../terminal/exit-code.ts';
import type { JobInput, JobMessage } from './jobs.ts';
import { startStudy } from './start-study.ts';

const interruption = new AbortController();
// what can't be told for the other end is gone is told to nobody: 'disconnect' ends this process
const send = (message: JobMessage) => process.send?.(message, undefined, undefined, () => {});

// a terminal sends Ctrl-C to all of its processes: the one that started this one says when to stop
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// it is gone, or done with this one
process.on('disconnect', () => interruption.abort());
process.on('message', async (message: JobInput) => {
	if (message.type === 'stop') {
		interruption.abort();
		return;
	}
	try {
		const outcome = await startStudy(
			message.request,
			(event) => send({ type: 'event', event }),
			interruption.signal,
		);
		send({ type: 'outcome', outcome });
	} catch (thrown) {
		const { code, message } = toVulntuneError(thrown);
		send({ type: 'error', code, message });
	}
	if (process.connected) process.disconnect();
});
