/**
 * What the CUDA backend does on a real card: `npm run check:cuda` where Node and the clone are at hand, or
 * `npm run check:cuda -- --pack DIR` here and `bash DIR/run.sh` on a machine with a card that has neither. The parts run in order
 * and each writes its JSON as it ends, so that a time limit loses only the rest. docs/gpu holds what came of it.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { inputError, VulntuneError } from '@vulntune/engine';
import { packCheck } from './pack.ts';
import { agreementPart } from './parts/agreement.ts';
import { attentionPart } from './parts/attention.ts';
import { driverPart } from './parts/driver.ts';
import { parityPart } from './parts/parity.ts';
import { productsPart } from './parts/products.ts';
import { stepPart } from './parts/step.ts';
import { trainingPart } from './parts/training.ts';
import { variantsPart } from './parts/variants.ts';
import { wholePart } from './parts/whole.ts';
import { writeTable } from './table.ts';

/** In the order in which they run. */
const parts: Readonly<Record<string, () => unknown>> = {
	driver: driverPart,
	agreement: agreementPart,
	parity: parityPart,
	products: productsPart,
	attention: attentionPart,
	step: stepPart,
	training: trainingPart,
	whole: wholePart,
	variants: variantsPart,
};

const USAGE = `usage: npm run check:cuda -- [options]

  --output <dir>  where the parts' results go, and all of them in all.json (default gpu-check)
  --only <names>  parts, separated by commas: ${Object.keys(parts).join(', ')}
  --idle          a driver that does nothing in the place of the card's: part step then says what the host takes
  --pack <dir>    make a folder that runs all of it on a machine without Node and without a network
  --table         write docs/gpu/README.md from the results in docs/gpu`;

async function runParts(output: string, only: readonly string[]): Promise<void> {
	const unknown = only.filter((name) => !Object.hasOwn(parts, name));
	if (unknown.length > 0) {
		throw inputError('CHECK_PART', `there is no part ${unknown.join(', ')}`, {
			place: '--only',
			remedy: `Choose of ${Object.keys(parts).join(', ')}.`,
		});
	}
	mkdirSync(output, { recursive: true });
	const report: Record<string, unknown> = {};
	for (const [name, run] of Object.entries(parts)) {
		if (!only.includes(name)) continue;
		const start = performance.now();
		let result: unknown;
		try {
			result = await run();
		} catch (error) {
			// the parts after it may tell more
			result = { failed: error instanceof Error ? error.message : String(error) };
			process.exitCode = 4;
		}
		const seconds = (performance.now() - start) / 1000;
		report[name] = { seconds, result };
		for (const [file, content] of [
			[name, report[name]],
			['all', report],
		] as const) {
			writeFileSync(
				path.join(output, `${file}.json`),
				`${JSON.stringify(content, undefined, '	')}
`,
			);
		}
		console.log(`${name}, ${seconds.toFixed(1)} s: ${JSON.stringify(result).slice(0, 1000)}`);
	}
}

/** Built where it is wanted: a machine with a card may have no compiler. */
async function idleDriver(): Promise<string> {
	const builder = new URL('../../packages/engine/native/cuda/emulation/build.mjs', import.meta.url);
	return ((await import(builder.href)) as { buildIdleDriver(): string }).buildIdleDriver();
}

const { values } = parseArgs({
	options: {
		output: { type: 'string', default: 'gpu-check' },
		only: { type: 'string', default: Object.keys(parts).join(',') },
		pack: { type: 'string' },
		idle: { type: 'boolean', default: false },
		table: { type: 'boolean', default: false },
		help: { type: 'boolean', default: false },
	},
});
try {
	if (values.idle) process.env.VULNTUNE_LIBCUDA = await idleDriver();
	if (values.help) console.log(USAGE);
	else if (values.table) writeTable();
	else if (values.pack !== undefined) packCheck(values.pack);
	else await runParts(path.resolve(values.output), values.only.split(','));
} catch (error) {
	if (!(error instanceof VulntuneError)) throw error;
	console.error(error.message);
	process.exitCode = error.kind === 'input' ? 2 : 4;
}
