import { expect, it } from 'vitest';
import { inspectDataset, renderInspection } from './inspect-dataset.ts';
import { noProjects } from './projects.ts';
import { row } from './testing/rows.ts';

it('counts what a dataset holds', () => {
	const train = [
		row(1, { code: 'aaaa', cwe: 'CWE-1, CWE-2', status: 'VULNERABLE', commit: 'a', repo: 'x/y' }),
		row(2, { code: 'aa', cwe: 'CWE-1', status: 'FIXED', commit: 'a' }),
		row(3, { code: 'aaaaaaaa', cwe: 'CWE-2', status: 'VULNERABLE' }),
	];
	const inspection = inspectDataset({ hash: 'h', splits: { train, valid: [], test: [] } }, noProjects);
	expect(inspection.splits.train).toEqual({
		...{ functions: 3, vulnerable: 2 },
		...{ commits: { distinct: 1, rows: 2 }, projects: { distinct: 1, rows: 1 } },
		statuses: [
			{ name: 'VULNERABLE', count: 2 },
			{ name: 'FIXED', count: 1 },
		],
		weaknesses: [
			{ name: 'CWE-2', count: 2 },
			{ name: 'CWE-1', count: 1 },
		],
		characters: { median: 4, p90: 8, max: 8 },
	});
	expect(inspection.splits.test.characters).toBeNull();
	expect(renderInspection(inspection)).toContain('train by weakness: CWE-2 2, CWE-1 1');
});

it('says that commits and projects are not known where no row names one', () => {
	const render = (...train: Parameters<typeof row>[]) => {
		const splits = { train: train.map((of) => row(...of)), valid: [], test: [] };
		return renderInspection(inspectDataset({ hash: 'h', splits }, noProjects));
	};
	const unnamed = render([1, { commit: 'a' }], [2, { commit: 'b' }]);
	expect(unnamed).toMatch(/^train +2 +\d+ \(.*?\) +2 +- /m);
	expect(unnamed).toContain('-: not known');
	const named = render([1, { commit: 'a', repo: 'x/y' }]);
	expect(named).toMatch(/^train +1 +\d+ \(.*?\) +1 +1 /m);
	expect(named).not.toContain('not known');
});
