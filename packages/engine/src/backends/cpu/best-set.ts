import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeFolder, writeTextAtomically } from '../../formats/files.ts';
import type { InstructionSet, NativeAddon } from './native.ts';
import { createPeakMeter } from './peak.ts';

/** Operations per second of one thread, at most: a multiply-add is two. */
export interface MeasuredPeaks {
	readonly bf16: number;
	readonly fp32: number;
}

/** What `isa: auto` takes, and what decided where something had to be measured. */
export interface SetChoice {
	readonly name: string;
	readonly peaks: MeasuredPeaks | undefined;
}

/**
 * The best instruction set of those that this machine runs. Bfloat16 instructions are taken where they are faster than the
 * same products widened to fp32, which the processor's flags don't say: on some machines they take twice the time.
 *
 * @param sets best first
 */
export function chooseSet(
	sets: readonly InstructionSet[],
	measure: (set: string) => MeasuredPeaks,
): SetChoice {
	const [first, second] = sets.filter((set) => set.supported && set.automatic);
	// the addon has one for every machine
	if (second === undefined || first!.name !== 'avx512bf16') return { name: first!.name, peaks: undefined };
	const peaks = measure(first!.name);
	return { name: (peaks.bf16 > peaks.fp32 ? first! : second).name, peaks };
}

const chosen = new WeakMap<NativeAddon, SetChoice>();

/** What `isa: auto` takes on this machine: measured once for a processor and remembered. */
export function bestSet(addon: NativeAddon): SetChoice {
	const known = chosen.get(addon);
	if (known !== undefined) return known;
	const choice = chooseSet(addon.instructionSets(), (set) =>
		rememberedPeaks(defaultPeaksFile(), processorName(), () => measurePeaks(addon, set)),
	);
	chosen.set(addon, choice);
	return choice;
}

/** Milliseconds of one piece of the measurement, and pieces of each arithmetic: some 50 ms in all. */
const [pieceMilliseconds, pieces] = [4, 6];

/** The two take turns and the fastest piece counts: a neighbour on the host slows pieces down, nothing speeds them up. */
function measurePeaks(addon: NativeAddon, set: string): MeasuredPeaks {
	const meter = createPeakMeter(set, 1, { addon });
	const fastest = { bf16: 0, fp32: 0 };
	for (let piece = 0; piece < pieces; piece++) {
		for (const arithmetic of ['bf16', 'fp32'] as const) {
			const { operations, seconds } = meter.measure(arithmetic, pieceMilliseconds)!;
			fastest[arithmetic] = Math.max(fastest[arithmetic], operations / seconds);
		}
	}
	meter.close();
	return fastest;
}

function defaultPeaksFile(): string {
	return path.join(os.homedir(), '.cache', 'vulntune', 'peaks.json');
}

/** Machines that share a home folder may have different processors. */
function processorName(): string {
	return os.cpus()[0]?.model.trim() ?? 'unknown';
}

/**
 * The peaks of a processor from the file, else measured and written there. A file that can't be read or written costs time
 * and nothing else.
 */
export function rememberedPeaks(
	file: string,
	processor: string,
	measure: () => MeasuredPeaks,
): MeasuredPeaks {
	const all = readPeaks(file);
	const known = all?.[processor];
	if (known !== undefined && known.bf16 > 0 && known.fp32 > 0) return known;
	const peaks = measure();
	try {
		makeFolder(path.dirname(file));
		const text = `${JSON.stringify({ ...all, [processor]: peaks }, null, '\t')}\n`;
		writeTextAtomically(file, text);
	} catch {
		// measured again the next time
	}
	return peaks;
}

/** Whatever JSON the file holds. */
function readPeaks(file: string): Readonly<Record<string, MeasuredPeaks>> | null {
	try {
		return JSON.parse(readFileSync(file, 'utf8'));
	} catch {
		return {};
	}
}
