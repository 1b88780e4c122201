import path from 'node:path';
import { writeFileAtomically } from '@vulntune/engine';
import { light, standingAlone, withColours } from '../../figures/palette.ts';
import type { Ledger } from '../ledger/open-ledger.ts';
import { readReport } from './report-cells.ts';
import { studyFigures } from './study-figures.ts';
import { renderStudyPage } from './study-page.ts';

/** What `vulntune experiment report --json` prints. */
export interface WrittenStudyReport {
	readonly schema: 'vulntune.studyReport/1';
	/** Path of report.html. */
	readonly report: string;
	/** SVG files, and PNG files where they can be drawn. */
	readonly figures: readonly string[];
	/** Why there are no PNG files; null where there are. */
	readonly withoutPng: string | null;
}

/** Writes report.html into a study's folder, with each figure beside it as SVG and PNG, replacing older ones. */
export async function writeStudyReport(ledger: Ledger): Promise<WrittenStudyReport> {
	const report = await readReport(ledger);
	const figures = await studyFigures(report.cells);
	const file = (name: string) => path.join(path.resolve(ledger.folder), name);
	write(file('report.html'), new TextEncoder().encode(renderStudyPage(report, figures)));
	const rasterize = await loadRasterizer();
	const written: string[] = [];
	for (const { name, svg } of figures) {
		write(file(`report.${name}.svg`), new TextEncoder().encode(standingAlone(svg)));
		written.push(file(`report.${name}.svg`));
		if (rasterize === undefined) continue;
		write(file(`report.${name}.png`), rasterize(withColours(svg, light)));
		written.push(file(`report.${name}.png`));
	}
	return {
		schema: 'vulntune.studyReport/1',
		report: file('report.html'),
		figures: written,
		withoutPng: rasterize === undefined ? 'the optional package @resvg/resvg-js is not installed' : null,
	};
}

/** Draws a picture on white paper, twice as large as the page shows it; undefined where the optional package is not installed. */
async function loadRasterizer(): Promise<((svg: string) => Uint8Array) | undefined> {
	try {
		const { Resvg } = await import('@resvg/resvg-js');
		return (svg) => {
			const options = { background: light.paper, fitTo: { mode: 'zoom', value: 2 } } as const;
			return new Resvg(svg, options).render().asPng();
		};
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined;
		throw error;
	}
}

function write(file: string, bytes: Uint8Array): void {
	writeFileAtomically(file, (append) => append(bytes));
}
