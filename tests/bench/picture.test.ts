import { describe, expect, it } from 'vitest';
import { limitBars } from '../../bench/picture/bars.ts';
import { partedSteps } from '../../bench/picture/parts.ts';
import { drawPicture } from '../../bench/picture/picture.ts';
import type { BenchReport } from '../../bench/report.ts';
import { benchRow } from '../../bench/row.ts';

const step = benchRow({
	name: 'lora-step-135m-bf16-t512',
	value: 300,
	unit: 'tokens/s',
	limit: 400,
	peer: { name: 'a & <b>', value: 100 },
});
const disturbed = benchRow({ name: 'lora-step-135m-bf16-t1024', value: 410, unit: 'tokens/s', limit: 400 });
const product = (name: string, value: number) => benchRow({ name, value, unit: 'GFLOP/s', limit: 100 });
const rows = [
	step,
	disturbed,
	benchRow({ name: 'peak-rss-qlora-135m', value: 900, unit: 'MiB' }),
	product('gemm-135m-nf4-forward-576x576-m128', 60),
	product('gemm-135m-nf4-backward-192x576-m128', 80),
	product('gemm-135m-nf4-backward-576x576-m128', 120),
	product('gemm-135m-nf4-forward-1536x576-m512-avx2', 50),
	product('gemm-7b-int8-forward-11008x4096-m512', 101),
];
const kernels = {
	...{ linearForward: 0.36, linearBackward: 0.4, loraBackward: 0.02 },
	...{ attention: 0.05, attentionBackward: 0.07, rope: 0.03, focalLoss: 0.01, adamW: 0.02 },
};
const steps = [
	{ name: step.name, kernels, outside: 0.04 },
	{ name: disturbed.name, kernels, outside: 0.04 },
	{ name: 'forward-135m-bf16', kernels: { linearForward: 0.9 }, outside: 0.1 },
];
const machine = { cpu: 'a & <b>', cores: 2, isa: 'avx2' };
const report = { machine, rows, steps, peers: [], inputs: null } as unknown as BenchReport;

describe('the picture of a report', () => {
	it('has a bar for every step with a limit, and one for the products of a size and an instruction set', () => {
		const [first, , products, forced] = limitBars(rows);
		expect(first).toEqual({
			...{ label: step.name, text: '0.75 · 300 tokens/s', share: 0.75 },
			...{ target: 0.7, peer: 0.25 },
		});
		expect(products).toMatchObject({
			...{ label: 'gemm 135m nf4 m128', share: expect.closeTo(0.7, 12) },
			...{ range: [0.6, 0.8], target: 0.7 },
		});
		expect(forced).toEqual({
			...{ label: 'gemm 135m nf4 m512 avx2', text: '0.50 · 50 GFLOP/s', share: 0.5 },
			...{ range: [0.5, 0.5], target: 0.75 },
		});
	});

	it('marks a row whose limit was disturbed, and has no bar for it', () => {
		const [, step, products, , alone] = limitBars(rows);
		expect(step).toEqual({
			label: disturbed.name,
			text: 'limit disturbed · 410 tokens/s',
			share: null,
		});
		expect(alone).toMatchObject({ text: 'limit disturbed · 101 GFLOP/s', share: null });
		expect(products!.text).toBe('0.70 · 80 GFLOP/s · without 1 of 3, disturbed');
	});

	it("shows the parts of training steps by the engine's table of kernels, which are the whole step", () => {
		const [parted, withoutPeak, ...others] = partedSteps(report);
		expect(others).toEqual([]);
		expect([parted!.floor, withoutPeak!.floor]).toEqual([0.75, undefined]);
		const shares = Object.fromEntries(parted!.parts.map(({ name, share }) => [name, share]));
		expect(shares['linear layers, forward']).toBe(0.36);
		expect(shares['linear layers, backward']).toBeCloseTo(0.42, 12);
		expect(shares.attention).toBeCloseTo(0.12, 12);
		expect(shares['outside kernels']).toBe(0.04);
		expect(parted!.parts.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
	});

	it('is refused where a kernel is none of the engine', () => {
		const renamed = [{ name: step.name, kernels: { matmulRenamed: 0.9 }, outside: 0.1 }];
		expect(() => partedSteps({ ...report, steps: renamed })).toThrow('matmulRenamed');
	});

	it('is drawn as a file of its own, escaped, with every row and part named', async () => {
		const svg = await drawPicture(report);
		expect(svg).toContain('a &amp; &lt;b&gt;');
		expect(svg).not.toMatch(/var\(|<script/);
		expect(svg).toContain('xmlns="http://www.w3.org/2000/svg"');
		for (const words of [step.name, 'limit disturbed · 410 tokens/s', 'linear layers, backward', 'target']) {
			expect(svg).toContain(`>${words}</text>`);
		}
		// bars of rows with a limit alone, and parts above nothing
		const bars = [...svg.matchAll(/<path [^>]*d="M[^"]*"[^>]*fill="#1f6feb"/g)];
		expect(bars.length).toBeGreaterThanOrEqual(3);
	});
});
