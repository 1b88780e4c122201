import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { chooseSet, rememberedPeaks } from './best-set.ts';

const set = (name: string, supported = true, automatic = true) => ({ name, supported, automatic });
const sets = [set('avx512bf16'), set('avx512vnni'), set('generic')];
const peaks = (bf16: number, fp32: number) => ({ bf16, fp32 });

it.each([
	['takes bfloat16 instructions where they are faster', peaks(450, 230), 'avx512bf16'],
	['leaves them where they are slower', peaks(213, 451), 'avx512vnni'],
	['leaves them where they gain nothing', peaks(300, 300), 'avx512vnni'],
])('%s', (_, measured, name) => {
	expect(chooseSet(sets, () => measured)).toEqual({ name, peaks: measured });
});

it('measures nothing on a machine without bfloat16 instructions, or with nothing else', () => {
	const measure = vi.fn(() => peaks(1, 2));
	const without = [set('avx512bf16', false), set('emulated', true, false), set('avx2'), set('generic')];
	expect(chooseSet(without, measure)).toEqual({ name: 'avx2', peaks: undefined });
	expect(chooseSet([set('avx512bf16'), set('emulated', true, false)], measure).name).toBe('avx512bf16');
	expect(measure).not.toHaveBeenCalled();
});

it('measures a processor once, and keeps what it found beside what others found', () => {
	const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-peaks-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const file = path.join(folder, 'deeper', 'peaks.json');
	const measure = vi.fn(() => peaks(3, 2));
	expect(rememberedPeaks(file, 'one', measure)).toEqual(peaks(3, 2));
	measure.mockReturnValue(peaks(1, 2));
	expect(rememberedPeaks(file, 'other', measure)).toEqual(peaks(1, 2));
	expect(rememberedPeaks(file, 'one', measure)).toEqual(peaks(3, 2));
	expect(measure).toHaveBeenCalledTimes(2);
	expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ one: peaks(3, 2), other: peaks(1, 2) });
});

it('measures again where the file is damaged, and where it can’t be written', () => {
	const folder = mkdtempSync(path.join(os.tmpdir(), 'vulntune-peaks-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const file = path.join(folder, 'peaks.json');
	for (const text of ['{ "one"', 'null', '{"one": {"bf16": "much", "fp32": 2}}', '{"one": 7}']) {
		writeFileSync(file, text);
		expect(
			rememberedPeaks(file, 'one', () => peaks(3, 2)),
			text,
		).toEqual(peaks(3, 2));
	}
	expect(rememberedPeaks('/dev/null/peaks.json', 'one', () => peaks(5, 2))).toEqual(peaks(5, 2));
});
