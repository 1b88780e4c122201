import { describe, expect, it } from 'vitest';
import { limitBars, partedSteps } from '../../bench/picture/bars.ts';
import { drawPicture } from '../../bench/picture/svg.ts';
import type { BenchReport } from '../../bench/report.ts';
import { benchRow } from '../../bench/row.ts';

const step = benchRow({
	name: 'lora-step-135m-bf16-t512',
	value: 300,
	unit: 'tokens/s',
	limit: 400,
	peer: { name: 'a & <b>', value: 100 },
});
const product = (name: string, value: number) => benchRow({ name, value, unit: 'GFLOP/s', limit: 100 });
const rows = [
	step,
	benchRow({ name: 'peak-rss-qlora-135m', value: 900, unit: 'MiB' }),
	product('gemm-135m-nf4-forward-576x576-m128', 60),
	product('gemm-135m-nf4-backward-192x576-m128', 80),
	product('gemm-135m-nf4-forward-1536x576-m512-avx2', 50),
];
const steps = [
	{
		name: step.name,
		kernels: { matmulNT: 0.4, matmulNN: 0.3, loraBackward: 0.1, loraForward: 0.05, rope: 0.1 },
		outside: 0.05,
	},
	{ name: 'forward-135m-bf16', kernels: { matmulNT: 0.9 }, outside: 0.1 },
];
const report = { machine: {}, rows, steps, peers: [], inputs: null } as unknown as BenchReport;

describe('the picture of a report', () => {
	it('has a bar for every step with a limit, and one for the products of a size and an instruction set', () => {
		expect(limitBars(rows)).toEqual([
			{ label: step.name, text: '300 tokens/s', share: 0.75, target: 0.7, peer: 0.25 },
			{
				label: 'gemm 135m nf4 m128',
				text: '70 GFLOP/s',
				share: expect.closeTo(0.7, 12),
				range: [0.6, 0.8],
				target: 0.7,
			},
			{ label: 'gemm 135m nf4 m512 avx2', text: '50 GFLOP/s', share: 0.5, range: [0.5, 0.5], target: 0.75 },
		]);
	});

	it('shows the parts of training steps, which are the whole step', () => {
		const [parted, ...others] = partedSteps(report);
		expect(others).toEqual([]);
		expect(parted!.floor).toBe(0.75);
		const shares = Object.fromEntries(parted!.parts.map(({ name, share }) => [name, share]));
		expect(shares).toMatchObject({ 'frozen products, forward': 0.4, attention: 0, 'other kernels': 0.1 });
		expect(shares.adapters).toBeCloseTo(0.15, 12);
		expect(parted!.parts.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
	});

	it('is drawn with everything inside, and escaped', () => {
		const svg = drawPicture('a & <b>', limitBars(rows), partedSteps(report));
		expect(svg).toContain('a &amp; &lt;b>');
		const height = Number(/viewBox="0 0 \d+ (\d+)"/.exec(svg)![1]);
		const bottoms = [...svg.matchAll(/ y="([\d.]+)" width="[\d.]+" height="([\d.]+)"/g)].map(
			([, y, high]) => Number(y) + Number(high),
		);
		expect(bottoms.length).toBeGreaterThan(15);
		expect(Math.max(...bottoms)).toBeLessThanOrEqual(height);
	});
});
