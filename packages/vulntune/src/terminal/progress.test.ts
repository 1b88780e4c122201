import { describe, expect, it } from 'vitest';
import { createProgressRenderer } from './progress.ts';

function recorder(isInteractive: boolean, columns = 200) {
	const written: string[] = [];
	let time = 0;
	const terminal = {
		stdout: () => expect.unreachable('progress goes to stderr'),
		stderr: (text: string) => void written.push(text),
		isInteractive,
		columns,
	};
	const progress = createProgressRenderer(terminal, () => time);
	const at = (seconds: number, done: number, task = 'training', detail?: string) => {
		time = seconds;
		progress.update({ task, done, total: 1000, unit: 'tokens', ...(detail === undefined ? {} : { detail }) });
	};
	return { written, progress, at };
}

describe('progress without a terminal', () => {
	it('is a plain line at the start, every 15 seconds and at the end', () => {
		const { written, progress, at } = recorder(false);
		at(0, 0);
		at(5, 100);
		at(16, 320, 'training', 'loss 0.6');
		at(20, 500);
		at(40, 1000);
		progress.finish();
		expect(written).toEqual([
			'training 0 % · 0 of 1,000 tokens\n',
			'training 32 % · 320 of 1,000 tokens · 20 tokens/s · 34 s left · loss 0.6\n',
			'training 100 % · 1,000 of 1,000 tokens · 25 tokens/s · took 40 s\n',
		]);
	});

	it('keeps notes and never holds control characters', () => {
		const { written, progress, at } = recorder(false);
		at(0, 0);
		progress.note('epoch 1 done');
		progress.finish();
		expect(written.join('')).toContain('epoch 1 done\n');
		expect(written.join('')).not.toContain('\r');
	});

	it('shows the time left that the task knows better', () => {
		const { written, progress, at } = recorder(false);
		at(0, 0);
		const known = (secondsLeft: number) => ({ task: 't', done: 1, total: 9, unit: 'steps', secondsLeft });
		progress.update(known(100));
		expect(written.at(-1)).toContain('1 min 40 s left');
		progress.finish();
		at(10, 0);
		at(30, 100);
		progress.update({ ...known(Number.NaN), task: 'another' });
		expect(written.at(-1)).not.toContain('left');
	});

	it('goes on with the clock of a task that another came between, without that one’s time', () => {
		const { written, progress, at } = recorder(false);
		at(0, 0);
		at(20, 500);
		at(20, 1, 'scoring');
		at(120, 1000, 'scoring');
		at(120, 501);
		at(140, 1000);
		// begins anew
		at(150, 1, 'scoring');
		at(160, 1000, 'scoring');
		progress.finish();
		const ends = written.filter((line) => line.includes('100 %'));
		expect(ends[0]).toMatch(/^scoring.*took 1 min 40 s/);
		expect(ends[1]).toMatch(/^training.*25 tokens\/s · took 40 s/);
		expect(ends[2]).toMatch(/^scoring.*took 10 s/);
	});

	it('counts the rate from where a task was taken up', () => {
		const { written, at } = recorder(false);
		at(0, 600);
		at(20, 800);
		expect(written.at(-1)).toContain('10 tokens/s · 20 s left');
	});
});

describe('progress on a terminal', () => {
	it('draws one line again, at most ten times a second, no wider than the window', () => {
		const { written, progress, at } = recorder(true, 20);
		at(0, 0);
		at(0.05, 10);
		at(0.2, 20);
		progress.finish();
		expect(written).toHaveLength(3);
		expect(written[1]).toBe('\r\x1b[Ktraining 2 % · 20 o');
		expect(written.at(-1)).toBe('\n');
	});

	it('puts notes above the line and starts a new line for a new task', () => {
		const { written, progress, at } = recorder(true);
		at(0, 1);
		progress.note('a warning');
		at(1, 1, 'scoring');
		const text = written.join('');
		expect(text).toContain('\r\x1b[Ka warning\n\r\x1b[Ktraining');
		expect(text).toContain('\n\r\x1b[Kscoring');
		expect(text.slice(0, text.indexOf('scoring'))).toContain('training');
	});
});
