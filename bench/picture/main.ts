/**
 * Draws docs/performance.svg from the bench's own figures: `npm run -s bench -- --json > report.json`, then
 * `node bench/picture/main.ts report.json > docs/performance.svg`.
 */
import { readFileSync } from 'node:fs';
import type { BenchReport } from '../report.ts';
import { limitBars, partedSteps } from './bars.ts';
import { drawPicture } from './svg.ts';

const [file] = process.argv.slice(2);
if (file === undefined) {
	console.error('usage: node bench/picture/main.ts report.json > docs/performance.svg');
	process.exitCode = 2;
} else {
	const report = JSON.parse(readFileSync(file, 'utf8')) as BenchReport;
	const { cpu, cores, isa } = report.machine;
	const title = `vulntune on ${cores} cores of ${cpu}, ${isa}`;
	process.stdout.write(drawPicture(title, limitBars(report.rows), partedSteps(report)));
}
