/** The reference pages name everything that the source has, and nothing else. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { projectRoot } from './command-line.ts';

const read = (file: string) => readFileSync(path.join(projectRoot, file), 'utf8');

/** Codes of errors in a source text: of `inputError('CODE', …)` and its relatives, and of `code: 'CODE'`. */
function codesIn(text: string): string[] {
	const calls = /(?:\w*[eE]rror|misuse)\((?:\s*[\w.]+,)*\s*'([A-Z][A-Z0-9_]{3,})'/g;
	const objects = /(?<!Object\.assign\(.*)\bcode: '([A-Z][A-Z0-9_]{3,})'/g;
	return [calls, objects].flatMap((pattern) => [...text.matchAll(pattern)].map(([, code]) => code!));
}

describe('troubleshooting', () => {
	const sources = globSync('packages/*/src/**/*.ts', {
		cwd: projectRoot,
		exclude: ['**/*.test.ts', '**/testing/**'],
	});
	const documented = [...read('docs/troubleshooting.md').matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(
		([, code]) => code!,
	);

	it('has an entry for every error code of the source, and none without one', () => {
		const codes = new Set(sources.flatMap((file) => codesIn(read(file))));
		expect(documented.toSorted()).toEqual([...codes].toSorted());
	});

	it('finds the codes of a source', () => {
		const text = `throw inputError('ONE_CODE', x);
			throw storedError(source, name, 'TWO_CODE');
			new VulntuneError({ code: 'THREE', kind });
			Object.assign(new Error(), { code: 'NOT_OURS' });
			const type = 'F8_E4M3';`;
		expect(codesIn(text)).toEqual(['ONE_CODE', 'TWO_CODE', 'THREE']);
	});
});

describe('the dataset reference', () => {
	it('names every field of a row and its aliases', () => {
		const source = read('packages/vulntune/src/data/row.ts');
		const table = /const aliases = \{(.*?)\}/s.exec(source)![1]!;
		const fields = [...table.matchAll(/'(\w+)'/g)].map(([, name]) => name!);
		const rows = read('docs/dataset.md')
			.split('\n')
			.filter((line) => line.startsWith('| `'));
		const shown = rows.flatMap((row) => [
			...row
				.split('|')
				.slice(1, 3)
				.join()
				.matchAll(/`(\w+)`/g),
		]);
		expect(shown.map(([, name]) => name).toSorted()).toEqual([...fields, 'synthetic'].toSorted());
	});
});

describe('the documents', () => {
	const documents = [
		...globSync('*.md', { cwd: projectRoot }),
		...globSync('docs/**/*.md', { cwd: projectRoot }),
		...globSync('packages/*/README.md', { cwd: projectRoot }),
	];

	it.each(documents)('%s links to files that are there', (document) => {
		const links = [...read(document).matchAll(/\]\(([^)#]+?)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
		const local = links.filter((target) => !/^[a-z]+:/.test(target));
		const folder = path.join(projectRoot, path.dirname(document));
		expect(local.filter((target) => !existsSync(path.join(folder, target)))).toEqual([]);
	});

	it.each(documents.filter((document) => document.startsWith('packages')))(
		'%s links to nothing outside its package, where an installed one has no files',
		(document) => {
			expect([...read(document).matchAll(/\]\((\.\.\/[^)]*)\)/g)].map(([, target]) => target)).toEqual([]);
		},
	);

	it('are all in the index', () => {
		const index = read('docs/README.md');
		const pages = globSync('*.md', { cwd: path.join(projectRoot, 'docs') }).filter(
			(page) => page !== 'README.md',
		);
		expect(pages.filter((page) => !index.includes(`(${page})`))).toEqual([]);
	});
});
