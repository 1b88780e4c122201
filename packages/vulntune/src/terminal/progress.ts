import { formatDuration, formatNumber } from './format.ts';
import { printable, type Terminal } from './terminal.ts';

/** How far a task is. */
export interface Progress {
	/** `training`, `scoring test`; another name begins another task. */
	readonly task: string;
	readonly done: number;
	readonly total: number;
	/** What is counted, in the plural: `tokens`, `functions`. */
	readonly unit: string;
	/** More to show: `epoch 2, loss 0.613`. */
	readonly detail?: string;
	/** The time left where more is to come than what is counted; else it follows from the rate. */
	readonly secondsLeft?: number;
}

/** Whoever wants to know how far a command is. The renderer is one; tests and other programs have theirs. */
export interface ProgressListener {
	readonly update: (progress: Progress) => void;
	/** A line that stays: an epoch's result, a warning. */
	readonly note: (line: string) => void;
	/** Nothing more will come. */
	readonly finish: () => void;
}

interface Task {
	readonly task: string;
	readonly started: number;
	readonly doneAtStart: number;
	/** When it was drawn last, and whether nothing came since. */
	shown: number;
	isDrawn: boolean;
	last: Progress;
}

const redrawSeconds = 0.1;
const lineSeconds = 15;

/**
 * Draws progress on stderr: one live line where that is a terminal, elsewhere a plain line at the start, every 15 seconds and at
 * the end of a task.
 *
 * @param now seconds on a clock that never goes back
 */
export function createProgressRenderer(
	terminal: Terminal,
	now: () => number = () => performance.now() / 1000,
): ProgressListener {
	let current: Task | undefined;
	/** Tasks that another one came between: when, and what was done. */
	const left = new Map<string, { readonly begun: Task; readonly time: number }>();

	return {
		update(progress) {
			const time = now();
			if (current?.task !== progress.task) {
				close();
				if (current !== undefined) left.set(current.task, { begun: current, time });
				const before = left.get(progress.task);
				// what begins anew has done less than before
				const isSame = before !== undefined && progress.done > before.begun.last.done;
				current = {
					task: progress.task,
					started: isSame ? before.begun.started + time - before.time : time,
					doneAtStart: isSame ? before.begun.doneAtStart : progress.done,
					shown: Number.NEGATIVE_INFINITY,
					last: progress,
					isDrawn: false,
				};
			}
			current.last = progress;
			current.isDrawn = false;
			const interval = terminal.isInteractive ? redrawSeconds : lineSeconds;
			if (time - current.shown >= interval) draw(time);
		},
		note(text) {
			const line = printable(text);
			terminal.stderr(terminal.isInteractive ? `\r\x1b[K${line}\n` : `${line}\n`);
			if (terminal.isInteractive && current !== undefined) draw(now());
		},
		finish() {
			close();
			current = undefined;
		},
	};

	/** The last state of a task is always shown, however soon it came after the one before. */
	function close(): void {
		if (current === undefined) return;
		if (!current.isDrawn) draw(now());
		if (terminal.isInteractive) terminal.stderr('\n');
	}

	function draw(time: number): void {
		if (current === undefined) return;
		current.shown = time;
		current.isDrawn = true;
		const line = describe(current.last, time - current.started, current.doneAtStart);
		if (!terminal.isInteractive) terminal.stderr(`${line}\n`);
		else terminal.stderr(`\r\x1b[K${line.slice(0, Math.max(1, terminal.columns - 1))}`);
	}
}

function describe(progress: Progress, seconds: number, doneAtStart: number): string {
	const { task, done, total, unit, detail } = progress;
	const rate = seconds > 0 ? (done - doneAtStart) / seconds : 0;
	const secondsLeft = progress.secondsLeft ?? (total - done) / rate;
	const share = total > 0 ? Math.floor((100 * done) / total) : 100;
	const parts = [`${task} ${share} %`, `${formatNumber(done)} of ${formatNumber(total)} ${unit}`];
	if (rate > 0) parts.push(`${formatNumber(rate)} ${unit}/s`);
	if (done >= total) parts.push(`took ${formatDuration(seconds)}`);
	else if (Number.isFinite(secondsLeft)) parts.push(`${formatDuration(secondsLeft)} left`);
	if (detail !== undefined) parts.push(detail);
	return parts.join(' · ');
}
