import { expect, it, vi } from 'vitest';
import { listenForInterruption } from './interruption.ts';

it('asks at the first signal, ends at the second, and gives the signals back', () => {
	const before = process.listenerCount('SIGINT');
	const notes: string[] = [];
	const exit = vi.spyOn(process, 'exit').mockImplementation(() => undefined as never);
	const { signal, dispose } = listenForInterruption((line) => notes.push(line));
	try {
		expect(signal.aborted).toBe(false);
		process.emit('SIGINT');
		expect(signal.aborted).toBe(true);
		expect(notes).toHaveLength(1);
		expect(exit).not.toHaveBeenCalled();
		process.emit('SIGTERM');
		expect(exit).toHaveBeenCalledWith(130);
	} finally {
		dispose();
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
