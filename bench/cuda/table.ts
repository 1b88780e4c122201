import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './test-runner.ts';

const folder = fileURLToPath(new URL('../../docs/gpu', import.meta.url));

interface Report {
	readonly driver: {
		readonly result: { readonly cards: readonly Card[]; readonly firstOpenSeconds: number };
	};
	readonly agreement: { readonly result: Readonly<Record<string, Suite>> };
	readonly products: { readonly result: Products };
	readonly attention: { readonly result: readonly AttentionRow[] };
	readonly step?: { readonly result: Readonly<Record<'smollm2' | 'fourLayersOf13B', StepParts>> };
	readonly training: { readonly result: Training };
	/** What a reader has to know of a record. */
	readonly notes?: readonly string[];
	/** Older results have none of these. */
	readonly parity?: { readonly result: Outcome };
	readonly whole?: { readonly result: Whole };
}
interface Card {
	readonly name: string;
	readonly driver: string;
}
interface Suite {
	readonly cases: number;
	readonly independence: number;
	readonly failures: readonly unknown[];
}
interface Products {
	readonly rows: readonly Readonly<Record<string, number | string>>[];
	readonly preparing: Readonly<Record<string, number>>;
	readonly fewRows?: readonly Readonly<
		Record<'rows' | 'fusedMicroseconds' | 'dequantisedMicroseconds', number>
	>[];
}
interface Times {
	readonly forward: number;
	readonly backward: number;
}
interface AttentionRow extends Readonly<Record<'bf16' | 'fp32', Times>> {
	readonly size: string;
	/** Older results have none. */
	readonly ofT4?: Times;
	readonly sdpa?: Times;
}
interface StepParts
	extends Readonly<
		Record<'launches' | 'stepMilliseconds' | 'hostMilliseconds' | 'kernelMilliseconds', number>
	> {
	readonly kernels: readonly { readonly name: string; readonly milliseconds: number }[];
}
interface Run {
	readonly stepSeconds: number;
	readonly tokensPerSecond: number;
	/** Of a step. */
	readonly waitShare?: number;
	readonly deviceBytes?: number;
	readonly startSeconds?: number;
}
interface Peer {
	readonly milliseconds: number;
	readonly peakBytes: number;
}
interface Whole extends Readonly<Record<'nf4' | 'nf4Checkpointed' | 'bf16', Run>> {
	readonly peft?: readonly Peer[];
	readonly bitsandbytes?: readonly Peer[];
}
interface Training {
	readonly demoBase: Readonly<Record<string, { readonly sameBytes: boolean }>>;
	readonly resumed: { readonly kills: number; readonly sameBytes: boolean };
	readonly checkpointing?: { readonly sameBytes: boolean };
	readonly smollm2: Run;
	readonly fourLayersOf13B: Run;
	readonly fourLayersOnBf16?: Run;
	readonly shortSequences?: Readonly<Record<'oneByOne' | 'atOnce', Run>>;
	readonly peft?: readonly { readonly milliseconds: number }[];
}

const files = () => readdirSync(folder).filter((name) => name.endsWith('.json'));

/** The page of what is beside it in docs/gpu. */
export function renderTable(): string {
	const text = [
		'# On real cards',
		'',
		'What `npm run check:cuda` found, one file a card and day; this page is made from them by `npm run check:cuda -- --table`.',
	];
	for (const name of files().sort()) {
		const report = JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Report;
		text.push('', ...reportLines(name, report));
	}
	return `${text.join('\n')}\n`;
}

/** Writes docs/gpu/README.md from the results beside it. */
export function writeTable(): void {
	writeFileSync(path.join(folder, 'README.md'), renderTable());
}

/** The section of one card and day. */
export function reportLines(name: string, report: Report): string[] {
	const { driver, agreement, products, attention, training, parity, whole } = report;
	const [card] = driver.result.cards;
	const { smollm2, fourLayersOf13B, fourLayersOnBf16, shortSequences, peft } = training.result;
	const { demoBase, resumed, checkpointing } = training.result;
	return [
		`## ${card!.name}, driver of CUDA ${card!.driver} (${name})`,
		'',
		...(report.notes ?? []).flatMap((note) => [note, '']),
		`The kernels are there after ${driver.result.firstOpenSeconds.toFixed(1)} s the first time.`,
		'',
		'| agreement with the reference | cases | of independent rows | failures |',
		'|---|---|---|---|',
		...Object.entries(agreement.result).map(
			([kind, suite]) => `| ${kind} | ${suite.cases} | ${suite.independence} | ${suite.failures.length} |`,
		),
		'',
		...parityLines(parity?.result),
		'Products of bfloat16 operands, TFLOP/s: x · Wᵀ, dy · W and dyᵀ · x on the kernels that this card takes, x · Wᵀ on those of',
		'all cards from 8.0 on, and PyTorch.',
		'',
		'| rows × columns × depth | x · Wᵀ | dy · W | dyᵀ · x | mma.sync | PyTorch | ratio |',
		'|---|---|---|---|---|---|---|',
		...products.result.rows.map((row) => {
			const columns = ['NT', 'NN', 'TN', 'NT, mma.sync', 'torch'].map((key) => rounded(row[key], 0));
			return `| ${row.size} | ${columns.join(' | ')} | ${rounded(row.ofTorch, 2)} |`;
		}),
		'',
		`A copy moves ${rounded(products.result.preparing.copyGigabytesPerSecond, 0)} GB/s. A matrix of 13,824 × 5,120 goes from NF4 to bfloat16 in ${rounded(products.result.preparing.nf4Microseconds, 0)} µs, 2,048 rows of 5,120 activations from float32 in ${rounded(products.result.preparing.activationMicroseconds, 0)} µs. An adapter of rank 8 from 5,120 to 13,824 over 2,048 rows, with dropout, takes ${rounded(products.result.preparing.adapterForwardMicroseconds, 0)} µs forward and ${rounded(products.result.preparing.adapterBackwardMicroseconds, 0)} µs backward.`,
		'',
		...fewRowLines(products.result),
		'Causal attention, milliseconds forward and backward, all that it takes:',
		'',
		'| functions × tokens × heads × size | bf16 | a T4’s kernels | fp32 | SDPA, flash |',
		'|---|---|---|---|---|',
		...attention.result.map(
			({ size, bf16, ofT4, fp32, sdpa }) => `| ${size} | ${[bf16, ofT4, fp32, sdpa].map(pair).join(' | ')} |`,
		),
		'',
		...stepLines(report),
		'`vulntune train`, QLoRA of NF4, rank 8, dropout 0.05, bf16, one pack of up to 2,048 tokens a step, random weights:',
		'',
		'| model | step | tokens/s | the host waited |',
		'|---|---|---|---|',
		...runLine("SmolLM2-135M's shape", smollm2),
		...runLine('four layers of a 13B model', fourLayersOf13B),
		...runLine('the same four, LoRA on bf16', fourLayersOnBf16),
		...runLine('the same four, four sequences of 512 one by one', shortSequences?.oneByOne),
		...runLine('the same, `training.sequencesPerPass: 4`', shortSequences?.atOnce),
		...(peft ?? []).map(
			(row) =>
				`| the same four, PEFT in bf16, 2,048 tokens | ${seconds(row.milliseconds / 1000)} | ${rounded(2048 / (row.milliseconds / 1000), 0)} | – |`,
		),
		'',
		`Two runs of the demo's base gave the same adapter: ${Object.entries(demoBase)
			.map(([precision, run]) => `${precision} ${run.sameBytes ? 'yes' : 'no'}`)
			.join(
				', ',
			)}. A run killed ${resumed.kills} times ended in the adapter of one that was not: ${resumed.sameBytes ? 'yes' : 'no'}.${checkpointing === undefined ? '' : ` Blocks computed twice, with what enters them on the card and in the host's memory, gave the bytes of blocks computed once: ${checkpointing.sameBytes ? 'yes' : 'no'}.`}`,
		...wholeLines(whole?.result),
	];
}

/** Older results lack some. */
function runLine(name: string, run: Run | undefined): string[] {
	if (run === undefined) return [];
	const { stepSeconds, tokensPerSecond, waitShare } = run;
	const waited = waitShare === undefined ? '–' : `${rounded(100 * waitShare, 0)} %`;
	return [`| ${name} | ${seconds(stepSeconds)} | ${rounded(tokensPerSecond, 0)} | ${waited} |`];
}

function parityLines(outcome: Outcome | undefined): string[] {
	if (outcome === undefined) return [];
	const { passed, failures } = outcome;
	return [
		`Golden values of the Python stack (models, packs, gradients, trajectories of training) in float32: ${passed} tests passed, ${failures.length} failed.`,
		'',
	];
}

/** Steps of a whole model; older results have none. */
function wholeLines(whole: Whole | undefined): string[] {
	if (whole === undefined) return [];
	const own = ([name, run]: readonly [string, Run]) =>
		`| ${name} | ${seconds(run.stepSeconds)} | ${rounded(run.tokensPerSecond, 0)} | ${gigabytes(run.deviceBytes)} | ${rounded(run.startSeconds, 0)} s |`;
	const peer = (name: string, rows: readonly Peer[] | undefined) =>
		(rows ?? []).map(
			({ milliseconds, peakBytes }) =>
				`| ${name} | ${seconds(milliseconds / 1000)} | ${rounded(2_048_000 / milliseconds, 0)} | ${gigabytes(peakBytes)} | – |`,
		);
	return [
		'',
		'The same of all forty layers of the 13B model, and what the card must hold at most; the start reads 26 GB and puts them on the card:',
		'',
		'| step | time | tokens/s | memory | start |',
		'|---|---|---|---|---|',
		...(
			[
				['QLoRA, NF4 with double quantisation', whole.nf4],
				['the same, blocks computed twice', whole.nf4Checkpointed],
				['LoRA on bf16', whole.bf16],
			] as const
		).map(own),
		...peer('PEFT with bitsandbytes, NF4 with double quantisation', whole.bitsandbytes),
		...peer('PEFT in bf16', whole.peft),
	];
}

function gigabytes(bytes: number | undefined): string {
	return bytes === undefined ? '–' : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Products with a base in NF4 by their rows; older results have none. */
function fewRowLines({ fewRows }: Products): string[] {
	if (fewRows === undefined) return [];
	return [
		'x · Wᵀ with a base of 13,824 × 5,120 in NF4 by mma.sync, microseconds, dequantised inside the product and before it:',
		'',
		'| rows | inside | before |',
		'|---|---|---|',
		...fewRows.map(
			({ rows, fusedMicroseconds, dequantisedMicroseconds }) =>
				`| ${rows} | ${rounded(fusedMicroseconds, 0)} | ${rounded(dequantisedMicroseconds, 0)} |`,
		),
		'',
	];
}

/** Where the time of a step goes; older results don't say. */
function stepLines({ step }: Report): string[] {
	if (step === undefined) return [];
	const { smollm2, fourLayersOf13B } = step.result;
	const row = (name: string, parts: StepParts) => {
		const times = [parts.stepMilliseconds, parts.hostMilliseconds, parts.kernelMilliseconds];
		const longest = parts.kernels.slice(0, 3).map((one) => `${one.name} ${rounded(one.milliseconds, 1)}`);
		const cells = [name, parts.launches, ...times.map((time) => rounded(time, 1)), longest.join(', ')];
		return `| ${cells.join(' | ')} |`;
	};
	return [
		'Milliseconds of a QLoRA step of 2,048 tokens, how much of it passes until the host has started all kernels and waits for the card (a driver',
		'holds it up where a thousand of them are waiting), and what the kernels take, timed one by one: where that is all of the step, the card is',
		'never idle in it.',
		'',
		'| model | kernels | step | until the host waits | kernels one by one | the longest of them |',
		'|---|---|---|---|---|---|',
		row("SmolLM2-135M's shape", smollm2),
		row('four layers of a 13B model', fourLayersOf13B),
		'',
	];
}

function rounded(value: unknown, digits: number): string {
	return typeof value === 'number' ? value.toFixed(digits) : '–';
}

function seconds(value: number): string {
	return `${value.toFixed(3)} s`;
}

function pair(times: Times | undefined): string {
	return times === undefined ? '–' : `${times.forward.toFixed(2)} + ${times.backward.toFixed(2)}`;
}
