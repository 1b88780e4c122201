import { type Bar, type PartedStep, partNames } from './bars.ts';

const WIDTH = 880;
const LABELS = 270;
const SCALE = 440;
const ROW = 22;
const BAR = 14;

const ink = '#1f2430';
const muted = '#6b7280';
const line = '#d9dde5';
const ours = '#3366cc';
const peerColour = '#d9822b';
const partColours = ['#27509e', '#5b8def', '#8f6bc4', '#3b9c8f', '#c9b458', '#b9bfca'];

/** Bars against the limit above, the parts of the training steps below. */
export function drawPicture(title: string, bars: readonly Bar[], steps: readonly PartedStep[]): string {
	const barsTop = 74;
	const stepsTop = barsTop + ROW * bars.length + 84;
	const height = stepsTop + ROW * steps.length + 30;
	const content = [
		text(16, 26, title, ink, 15),
		text(16, 48, 'share of what the machine can do at most (peak of multiply-adds in registers)', muted),
		...legend(LABELS + SCALE - 130, 48, [
			['best peer', peerColour],
			['target', ink],
		]),
		...grid(barsTop, ROW * bars.length),
		...bars.flatMap((bar, i) => drawBar(bar, barsTop + ROW * i)),
		text(
			16,
			stepsTop - 42,
			'where the time of a training step goes; up to the mark: its frozen products at the peak',
			muted,
		),
		...legend(
			16,
			stepsTop - 20,
			partNames.map((name, i) => [name, partColours[i]!] as const),
		),
		...steps.flatMap((step, i) => drawStep(step, stepsTop + ROW * i)),
	];
	return [
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
		`<title>${escaped(title)}</title>`,
		`<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
		...content,
		'</svg>',
		'',
	].join('\n');
}

function drawBar(bar: Bar, y: number): string[] {
	const top = y + (ROW - BAR) / 2;
	const x = (share: number) => LABELS + SCALE * Math.min(1, share);
	const marks: string[] = [
		rect(LABELS, top, x(bar.share) - LABELS, BAR, ours),
		text(LABELS - 8, y + 15, bar.label, ink, 12, 'end'),
		text(LABELS + SCALE + 10, y + 15, `${bar.share.toFixed(2)} · ${bar.text}`, muted),
	];
	if (bar.range !== undefined) {
		const [low, high] = bar.range;
		marks.push(rect(x(low), y + ROW / 2 - 0.5, x(high) - x(low), 1, ink));
	}
	if (bar.target !== undefined) marks.push(rect(x(bar.target) - 1, top - 3, 2, BAR + 6, ink));
	if (bar.peer !== undefined) marks.push(rect(x(bar.peer) - 2, top, 4, BAR, peerColour));
	return marks;
}

function drawStep({ name, parts, floor }: PartedStep, y: number): string[] {
	const top = y + (ROW - BAR) / 2;
	let start = 0;
	const pieces = parts.map(({ share }, i) => {
		const piece = rect(LABELS + SCALE * start, top, SCALE * share, BAR, partColours[i]!);
		start += share;
		return piece;
	});
	const mark = floor === undefined ? [] : [rect(LABELS + SCALE * floor - 1, top - 3, 2, BAR + 6, ink)];
	return [text(LABELS - 8, y + 15, name, ink, 12, 'end'), ...pieces, ...mark];
}

function grid(top: number, height: number): string[] {
	return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
		const x = LABELS + SCALE * share;
		return [
			rect(x - 0.5, top, 1, height, line),
			text(x, top + height + 14, String(share), muted, 11, 'middle'),
		];
	});
}

function legend(
	x: number,
	y: number,
	entries: readonly (readonly [name: string, colour: string])[],
): string[] {
	let at = x;
	return entries.flatMap(([name, colour]) => {
		const entry = [rect(at, y - 9, 10, 10, colour), text(at + 15, y, name, muted, 11)];
		at += 30 + 6 * name.length;
		return entry;
	});
}

function rect(x: number, y: number, width: number, height: number, fill: string): string {
	const [left, top, wide, high] = [x, y, Math.max(0, width), height].map((value) => Number(value.toFixed(1)));
	return `<rect x="${left}" y="${top}" width="${wide}" height="${high}" fill="${fill}"/>`;
}

function text(x: number, y: number, words: string, fill: string, size = 12, anchor = 'start'): string {
	return `<text x="${x}" y="${y}" fill="${fill}" font-size="${size}" text-anchor="${anchor}">${escaped(words)}</text>`;
}

function escaped(words: string): string {
	return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
