import { expect, it, vi } from 'vitest';
import { listenForInterruption } from './interruption.ts';

it('asks at the first signal, ends at one that comes later, and gives the signals back', () => {
	let now = 1e6;
	const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
	const before = process.listenerCount('SIGINT');
	const notes: string[] = [];
	const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
	const { signal, dispose } = listenForInterruption((line) => notes.push(line));
	try {
		expect(signal.aborted).toBe(false);
		process.emit('SIGINT');
		expect(signal.aborted).toBe(true);
		expect(notes).toHaveLength(1);
		// sent to several processes, and passed on by one of them
		now += 400;
		process.emit('SIGINT');
		expect(notes).toHaveLength(1);
		expect(exit).not.toHaveBeenCalled();
		now += 200;
		process.emit('SIGTERM');
		expect(exit).toHaveBeenCalledWith(130);
	} finally {
		dispose();
		clock.mockRestore();
		exit.mockRestore();
	}
	expect(process.listenerCount('SIGINT')).toBe(before);
});

it('asks once where a terminal is closed, however many signals that sends', () => {
	const before = process.listenerCount('SIGHUP');
	const notes: string[] = [];
	const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
	const { signal, dispose } = listenForInterruption((line) => notes.push(line));
	try {
		process.emit('SIGHUP');
		process.emit('SIGHUP');
		expect(signal.aborted).toBe(true);
		expect(notes).toHaveLength(1);
		expect(exit).not.toHaveBeenCalled();
	} finally {
		dispose();
		exit.mockRestore();
	}
	expect(process.listenerCount('SIGHUP')).toBe(before);
});
