/**
 * Draws docs/performance.svg from the bench's own figures: `npm run -s bench -- --json > report.json`, then
 * `node bench/picture/main.ts report.json > docs/performance.svg`.
 */
import { readFileSync } from 'node:fs';
import type { BenchReport } from '../report.ts';
import { drawPicture } from './picture.ts';

const [file] = process.argv.slice(2);
if (file === undefined) {
	console.error('usage: node bench/picture/main.ts report.json > docs/performance.svg');
	process.exitCode = 2;
} else {
	process.stdout.write(await drawPicture(JSON.parse(readFileSync(file, 'utf8')) as BenchReport));
}
