import { describe, expect, it } from 'vitest';
import { type AxisFinding, axisFindings } from './axis-findings.ts';
import type { ReportCell } from './report-cells.ts';

/** A cell whose scores tell the classes apart the better, the larger `strength`; what is drawn beside is the same for all. */
function cellOf(
	settings: Readonly<Record<string, unknown>>,
	strength: number,
	data = 'd',
	grid = 'g',
	stride = 37,
): ReportCell {
	const predictions = Array.from({ length: 200 }, (_, id) => {
		const label = (id % 2) as 0 | 1;
		const noise = ((id * stride) % 101) / 101;
		return { id, label, probability: (noise + strength * label) / (1 + strength) };
	});
	const positives = predictions.filter(({ label }) => label === 1);
	const negatives = predictions.filter(({ label }) => label === 0);
	const wins = positives.flatMap((a) =>
		negatives.map((b) => (a.probability > b.probability ? 1 : a.probability === b.probability ? 0.5 : 0)),
	);
	const value = wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
	return {
		cell: { settings, name: '' },
		rocAuc: { value, low: null, high: null, reason: '' },
		predictions,
		data,
		grids: [grid],
		written: Object.keys(settings),
		config: { method: { type: 'lora' }, objective: 'class' },
	} as unknown as ReportCell;
}

/** Of a study whose grids have all of these columns. */
const findingsOf = (columns: readonly string[], cells: readonly ReportCell[]) =>
	axisFindings({ columns, grids: ['g', 'other'].map((name) => ({ name, columns })) }, cells);
const findings = (cells: readonly ReportCell[]) => findingsOf(['method.rank', 'training.seed'], cells);
const said = (cells: readonly ReportCell[], axis = 'method.rank') =>
	findings(cells)
		.find((finding) => finding.axis === axis)!
		.sentences.join(' ');

describe('what is said of an axis', () => {
	it('calls a value that a cell does not have none', () => {
		const cells = [4, null].map((rank) => cellOf({ 'method.rank': rank, 'training.seed': 1 }, 1));
		expect(findings(cells)[0]!.means.map(({ value }) => value)).toEqual(['4', 'none']);
	});

	it('says of which cells the run folder is gone, so that no test is of them', () => {
		const cells = [4, 8, 16].map((rank) => cellOf({ 'method.rank': rank, 'training.seed': 1 }, rank / 20));
		const without = (gone: readonly number[]) =>
			said(cells.map((cell, i) => (gone.includes(i) ? { ...cell, predictions: [] } : cell)));
		expect(without([])).not.toContain('gone');
		expect(without([2])).toMatch(
			/^The run folder of one cell is gone: no comparison is of it\. .*\(1 paired test,/,
		);
		expect(without([0, 2])).toMatch(
			/^The run folders of 2 cells are gone: no comparison is of them\. No two/,
		);
		expect(without([0, 1, 2])).toMatch(/^The run folders of these cells are gone[^.]*\.$/);
	});

	it('is which value is better, where the paired tests hold after correction', () => {
		const cells = [1, 2].flatMap((seed) => [
			cellOf({ 'method.rank': 4, 'training.seed': seed }, 0.05 * seed),
			cellOf({ 'method.rank': 8, 'training.seed': seed }, 1),
		]);
		expect(said(cells)).toMatch(
			/^8 is better than 4, by 0\.\d+ on average over 2 seeds \(0\.\d{3}, 0\.\d{3}\), p [=<] 0\.\d{3}\. \(1 paired test, corrected by Holm's method/,
		);
		const [finding] = findings(cells);
		expect(finding!.means.map(({ value, cells: count }) => [value, count])).toEqual([
			['4', 2],
			['8', 2],
		]);
		expect(finding!.means[1]!.rocAuc).toBeGreaterThan(finding!.means[0]!.rocAuc);
	});

	/** Of cells of one seed that differ in the pooling too. */
	const ofPools = (strengths: Readonly<Record<string, readonly [number, number, stride?: number]>>) => {
		const cells = Object.entries(strengths).flatMap(([pool, [four, eight, stride]]) => [
			cellOf({ 'method.rank': 4, 'head.pool': pool }, four),
			cellOf({ 'method.rank': 8, 'head.pool': pool }, eight, 'd', 'g', stride),
		]);
		return findingsOf(['method.rank', 'head.pool'], cells)[0]!.sentences.join(' ');
	};

	it('counts comparisons under other options, whose mean has the sign that those which do not hold can turn', () => {
		expect(ofPools({ mean: [0.05, 1], last: [0.1, 1] })).toMatch(
			/^8 is better than 4 in 2 of 2 matched comparisons, by 0\.\d+ on average over all of them\. \(2 paired tests/,
		);
		expect(ofPools({ mean: [0.3, 0.36], last: [0.3, 0.18, 53] })).toMatch(
			/^8 is better than 4 in 1 of 2 matched comparisons, by -0\.\d+ on average/,
		);
	});

	it('is that comparisons contradict each other, where they do', () => {
		expect(ofPools({ mean: [0.05, 1], last: [1, 0.05] })).toContain(
			'Between 4 and 8 the comparisons contradict each other',
		);
	});

	it('is of seeds how far two runs of one thing lie apart', () => {
		const cells = [1, 2].map((seed) => cellOf({ 'method.rank': 4, 'training.seed': seed }, seed / 7));
		const apart = Math.abs(cells[0]!.rocAuc.value! - cells[1]!.rocAuc.value!);
		expect(said(cells, 'training.seed')).toContain(
			`by up to ${apart.toFixed(3)} in test ROC AUC (1 pair; standard deviation of a run ${(apart / Math.SQRT2).toFixed(3)})`,
		);
	});

	it('is no finding where seeds disagree by more than the difference, which one of them alone would be', () => {
		const seed = (number: number, four: number, eight: number) => [
			cellOf({ 'method.rank': 4, 'training.seed': number }, four),
			cellOf({ 'method.rank': 8, 'training.seed': number }, eight),
		];
		expect(said(seed(1, 0.05, 1))).toMatch(/^8 is better than 4, by 0\.\d+, p < 0\.001\. \(1 paired test/);
		expect(said([...seed(1, 0.05, 1), ...seed(2, 0.1, 0.1001)])).toMatch(
			/^These data cannot .* \(1 paired test.* p is 0\.\d\d, of 4 minus 8: -0\.\d+ on average over 2 seeds \(-0\.\d+, -?0\.000\)/,
		);
		// the order of cells says nothing
		const reversed = [...seed(1, 0.05, 1), ...seed(2, 0.05, 1).reverse(), ...seed(3, 0.05, 1.1)];
		expect(said(reversed)).toMatch(/^8 is better than 4, by (0\.\d+) on average over 3 seeds/);
	});

	it('is that nothing can be told, and that this is no proof, where they do not', () => {
		const cells = [
			cellOf({ 'method.rank': 4, 'training.seed': 1 }, 0.1),
			cellOf({ 'method.rank': 8, 'training.seed': 1 }, 0.1001),
		];
		expect(said(cells)).toMatch(
			/^These data cannot tell the values apart: no difference holds \(1 paired test.*no proof that they are equal/,
		);
	});

	it('is nothing where no two cells differ in it alone, or were measured on other functions', () => {
		const cells = [
			cellOf({ 'method.rank': 4, 'training.seed': 1 }, 0.1),
			cellOf({ 'method.rank': 8, 'training.seed': 2 }, 1),
		];
		expect(said(cells)).toMatch(/^No two finished cells differ in this option alone/);
		const others = [
			cellOf({ 'method.rank': 4, 'training.seed': 1 }, 0.1),
			cellOf({ 'method.rank': 8, 'training.seed': 1 }, 1, 'e'),
		];
		expect(said(others)).toMatch(/^No two finished cells/);
	});

	it('is nothing where cells are of grids that start from other configs, or their folders hold other functions', () => {
		const cell = cellOf({ 'method.rank': 4, 'training.seed': 1 }, 0.1);
		const better = cellOf({ 'method.rank': 8, 'training.seed': 1 }, 1);
		expect(said([cell, better])).toMatch(/^8 is better than 4/);
		expect(said([cell, { ...better, grids: ['other'] }])).toMatch(/^No two finished cells/);
		expect(said([cell, { ...better, grids: ['other', 'g'] }])).toMatch(/^8 is better than 4/);
		const fewer = better.predictions.slice(0, 150);
		const relabelled = better.predictions.map((one) => ({ ...one, label: (1 - one.label) as 0 | 1 }));
		for (const predictions of [fewer, relabelled]) {
			expect(said([cell, { ...better, predictions }])).toMatch(/^No two finished cells/);
		}
	});

	describe('where a value comes with other options by overrides', () => {
		const withRate = (rank: number, learningRate: number, strength: number, seed = 1): ReportCell => ({
			...cellOf({ 'method.rank': rank, 'training.seed': seed }, strength),
			written: ['method.rank', 'training.seed', ...(rank === 8 ? ['training.learningRate'] : [])],
			config: { method: { type: 'lora' }, training: { learningRate } } as never,
		});
		const together =
			/^2 comes with training\.learningRate 0\.0001, and 8 comes with training\.learningRate 0\.0005: what is said of the two is of all these together, not of method\.rank alone\. (?!.*comes with)/;

		it('is named with them, once, whether a difference holds or not', () => {
			const better = [1, 2].flatMap((seed) => [withRate(2, 1e-4, 0.05, seed), withRate(8, 5e-4, 1, seed)]);
			expect(said(better)).toMatch(together);
			expect(said(better)).toMatch(/8 is better than 2, by 0\.\d+ on average over 2 seeds/);
			const equal = said([withRate(2, 1e-4, 0.1), withRate(8, 5e-4, 0.1)]);
			expect(equal).toMatch(together);
			expect(equal).toContain('These data cannot tell the values apart');
		});

		it('is not compared with them where cells differ in the option alone', () => {
			const cells = [withRate(2, 1e-4, 0.05), withRate(8, 5e-4, 1), withRate(8, 1e-4, 0.05)];
			expect(said(cells)).toMatch(/^These data cannot tell the values apart.*1 paired test,/);
		});

		it('is nothing of seeds, nor of options that one of the cells is not affected by or that change no result', () => {
			const seeds = [withRate(8, 1e-4, 0.1, 1), withRate(8, 5e-4, 1, 2)];
			expect(said(seeds, 'training.seed')).toMatch(/^No two finished cells differ in the seed alone/);
			const loss = (type: string, gamma: number) => ({
				...cellOf({ 'method.rank': gamma, 'training.seed': 1 }, 0.1),
				written: ['loss.gamma', 'backend.threads'],
				config: { method: { type: 'lora' }, loss: { type, gamma }, backend: { threads: gamma } } as never,
			});
			expect(said([loss('focal', 2), loss('focal', 3)])).toMatch(/^2 comes with loss\.gamma 2, and/);
			expect(said([loss('focal', 3), loss('crossEntropy', 2)])).toMatch(/^These data cannot/);
		});
	});

	it('is over each seed by itself where the seeds have scores for different functions', () => {
		const cells = [1, 2].flatMap((seed) => [
			cellOf({ 'method.rank': 4, 'training.seed': seed }, 0.05),
			cellOf({ 'method.rank': 8, 'training.seed': seed }, 1),
		]);
		expect(said(cells)).toMatch(/^8 is better than 4, by 0\.\d+ on average over 2 seeds.*\(1 paired test,/);
		const [, , , last] = cells as [ReportCell, ReportCell, ReportCell, ReportCell];
		const unscored = last.predictions.map((one) => (one.id === 7 ? { ...one, probability: null } : one));
		const fewer = [...cells.slice(0, 3), { ...last, predictions: unscored }];
		expect(said(fewer)).toMatch(/^8 is better than 4 in 2 of 2 matched comparisons.*\(2 paired tests,/);
	});

	it('names the seeds of each comparison where a seed has fewer cells', () => {
		const cells = [
			...[1, 2].flatMap((seed) => [
				cellOf({ 'method.rank': 4, 'training.seed': seed }, 0.05),
				cellOf({ 'method.rank': 8, 'training.seed': seed }, 1),
			]),
			cellOf({ 'method.rank': 16, 'training.seed': 1 }, 1),
		];
		expect(said(cells)).toMatch(
			/\(3 paired tests, 4 with 8 over 2 seeds, 4 with 16 over 1 seed, 8 with 16 over 1 seed, corrected by Holm's method, level 0\.05\.\) Fewer seeds say less/,
		);
		const whole = [...cells, cellOf({ 'method.rank': 16, 'training.seed': 2 }, 1)];
		expect(said(whole)).toMatch(/\(3 paired tests, of 2 seeds each, corrected(?!.*Fewer seeds)/);
	});

	describe('where other columns always come with a value', () => {
		const ofType = (type: string, base: string, strength: number, seed = 1) => ({
			...cellOf({ 'method.type': type, 'method.base': base, 'training.seed': seed }, strength),
			config: { method: { type, base }, objective: 'class', training: { seed } } as never,
		});
		const saidOfType = (
			cells: readonly ReportCell[],
			columns = ['method.type', 'method.base', 'training.seed'],
		) =>
			findingsOf(columns, cells)
				.find(({ axis }) => axis === 'method.type')!
				.sentences.join(' ');

		it('is compared with them, and they are named', () => {
			const cells = [1, 2].flatMap((seed) => [
				ofType('qlora', 'nf4', 0.05, seed),
				ofType('lora', 'bf16', 1, seed),
			]);
			expect(saidOfType(cells)).toMatch(
				/^qlora comes with method\.base nf4, and lora comes with method\.base bf16: .* lora is better than qlora, by 0\.\d+ on average over 2 seeds/,
			);
		});

		it('is not, where cells differ in the option alone, or both values come with several others', () => {
			const alone = [ofType('qlora', 'nf4', 0.05), ofType('lora', 'bf16', 1), ofType('lora', 'nf4', 0.05)];
			expect(saidOfType(alone)).toMatch(/^These data cannot.*1 paired test,(?!.*comes with)/);
			const drawn = (type: string, rate: number) => ({
				...cellOf({ 'method.type': type, 'training.learningRate': rate }, rate),
				config: { method: { type }, training: { learningRate: rate } } as never,
			});
			const cells = [drawn('qlora', 1), drawn('qlora', 2), drawn('lora', 3), drawn('lora', 4)];
			expect(saidOfType(cells, ['method.type', 'training.learningRate'])).toMatch(/^No two finished cells/);
		});

		it('is not, of an axis of many values, each of which comes with others by chance', () => {
			const cells = Array.from({ length: 7 }, (_, i) => ({
				...cellOf({ 'method.rank': i + 1, 'training.learningRate': i }, i),
			}));
			expect(findingsOf(['method.rank', 'training.learningRate'], cells)[0]!.sentences.join(' ')).toMatch(
				/^No two finished cells/,
			);
			expect(
				findingsOf(['method.rank', 'training.learningRate'], cells.slice(1))[0]!.sentences.join(' '),
			).toMatch(/^2 comes with training\.learningRate 1/);
		});

		it('is compared without what has no effect in one of them: a method without seeds with each seed of another', () => {
			const cells = [
				...[1, 2].map((seed) => ofType('qlora', 'nf4', 0.9 + seed / 10, seed)),
				ofType('ngram', 'none', 0.05),
			];
			expect(saidOfType(cells)).toMatch(/^qlora is better than ngram, by 0\.\d+ on average over 2 seeds/);
		});
	});

	it('is a comparison for each option of one of them that has no effect in the other, which are no seeds', () => {
		const ofRank = (type: string, rank: number, strength: number) => ({
			...cellOf({ 'method.type': type, 'method.rank': rank }, strength),
			config: { method: { type, rank }, objective: 'class' } as never,
		});
		const cells = [ofRank('head', 4, 0.05), ofRank('lora', 4, 0.9), ofRank('lora', 8, 1)];
		const [{ sentences }] = findingsOf(['method.type', 'method.rank'], cells) as [AxisFinding];
		expect(sentences.join(' ')).toMatch(/^lora is better than head in 2 of 2 matched comparisons/);
	});

	it('is of the cells alone whose grids vary it', () => {
		const cells = [
			cellOf({ 'method.rank': 4, 'training.seed': 1 }, 0.1),
			cellOf({ 'method.rank': 8, 'training.seed': 1 }, 1, 'd', 'other'),
		];
		const columns = ['method.rank', 'training.seed'];
		const grids = [
			{ name: 'g', columns },
			{ name: 'other', columns: ['training.seed'] },
		];
		expect(axisFindings({ columns, grids }, cells)).toEqual([]);
		expect(findings(cells).map(({ axis }) => axis)).toEqual(['method.rank']);
	});

	it('has means over cells with a partner at every other value alone', () => {
		const cells = [
			cellOf({ 'method.rank': 4, 'training.seed': 1 }, 0.1),
			cellOf({ 'method.rank': 8, 'training.seed': 1 }, 0.1),
			// a seed that only one of them has
			cellOf({ 'method.rank': 8, 'training.seed': 2 }, 1),
		];
		const { means } = findings(cells).find(({ axis }) => axis === 'method.rank')!;
		expect(means.map(({ cells: count }) => count)).toEqual([1, 1]);
		expect(means[0]!.rocAuc).toBe(means[1]!.rocAuc);
	});

	it('is the size of chance for seeds', () => {
		const cells = [1, 2, 3].map((seed) => cellOf({ 'method.rank': 4, 'training.seed': seed }, 0.1 * seed));
		expect(said(cells, 'training.seed')).toMatch(
			/differs by up to 0\.\d{3} in test ROC AUC \(3 pairs; standard deviation of a run 0\.\d{3}\)/,
		);
		const areas = cells.map(({ rocAuc }) => rocAuc.value!);
		expect(said(cells, 'training.seed')).toContain(`up to ${(areas[2]! - areas[0]!).toFixed(3)} `);
	});

	it('is left out where an axis has one value', () => {
		expect(findings([cellOf({ 'method.rank': 4, 'training.seed': 1 }, 1)])).toEqual([]);
	});
});
