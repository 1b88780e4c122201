import { expect, it } from 'vitest';
import { refuseSeveralProcesses, terminalOfProcess } from './processes.ts';

const second = { PMI_SIZE: '2', PMI_RANK: '1' };

function write(environment: Readonly<Record<string, string>>) {
	const seen = { stdout: '', stderr: '' };
	const terminal = terminalOfProcess(
		{
			stdout: (text) => void (seen.stdout += text),
			stderr: (text) => void (seen.stderr += text),
			isInteractive: true,
			columns: 80,
		},
		environment,
	);
	terminal.stdout('result');
	terminal.stderr('training 3 %\n');
	terminal.stderr('error: no file\n');
	return { ...seen, isInteractive: terminal.isInteractive };
}

it('leaves the terminal to the first process, and to the others their errors', () => {
	const whole = { stdout: 'result', stderr: 'training 3 %\nerror: no file\n', isInteractive: true };
	expect(write({ ...second, PMI_RANK: '0' })).toEqual(whole);
	expect(write({})).toEqual(whole);
	expect(write(second)).toEqual({ stdout: '', stderr: 'process 1: error: no file\n', isInteractive: false });
	// what is wrong with the variables is told in full
	expect(write({ PMI_SIZE: '2' })).toEqual(whole);
});

it('refuses several processes of every command but those that share their work out', () => {
	for (const command of ['train', 'pretrain'])
		expect(() => refuseSeveralProcesses(command, second)).not.toThrow();
	for (const command of ['evaluate', 'demo', 'model', 'doctor', 'one-to-come']) {
		expect(() => refuseSeveralProcesses(command, second)).toThrow(
			expect.objectContaining({ code: 'SEVERAL_PROCESSES', kind: 'input' }),
		);
		expect(() => refuseSeveralProcesses(command, {})).not.toThrow();
	}
});
