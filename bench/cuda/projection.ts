/**
 * What the paper's Table 1 would take on cards that nobody here has: `node bench/cuda/projection.ts --without-p3 DIR --with-p3 DIR`
 * writes docs/gpu/projection.md. MODELLED, not measured: a step is taken apart into products and memory traffic as an H200 showed them,
 * and both are scaled to the published figures of another card.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../packages/vulntune/src/config/load.ts';
import { planTraining } from '../../packages/vulntune/src/plan/plan-training.ts';
import { knownModel, shapeOf } from '../../packages/vulntune/src/sizing/model-shape.ts';

/** A card by its data sheet. */
export interface CardSheet {
	readonly name: string;
	/** Of the arithmetic that the kernels use there, products of bfloat16 or float16 on tensor cores or of float32; TFLOP/s. */
	readonly peak: number;
	readonly arithmetic: 'bf16' | 'f16' | 'fp32';
	/** GB/s */
	readonly bandwidth: number;
	/** GB */
	readonly memory: number;
}

/** NVIDIA's data sheets; the card of the measurements first. */
const h200: CardSheet = { name: 'H200', peak: 989, arithmetic: 'bf16', bandwidth: 4800, memory: 141 };
export const cards = {
	T4: { name: 'T4', peak: 65, arithmetic: 'f16', bandwidth: 320, memory: 16 },
	'RTX 4080': { name: 'RTX 4080', peak: 97.5, arithmetic: 'bf16', bandwidth: 717, memory: 16 },
	A100: { name: 'A100', peak: 312, arithmetic: 'bf16', bandwidth: 1555, memory: 40 },
	V100: { name: 'V100', peak: 15.7, arithmetic: 'fp32', bandwidth: 900, memory: 16 },
} as const satisfies Record<string, CardSheet>;

/** What a card does of what its data sheet says, and what a step needs beside its products. */
export interface MeasuredShares {
	readonly products: Readonly<Record<CardSheet['arithmetic'], number>>;
	readonly bandwidth: number;
	/** Bytes that move for a token in a layer of 5,120 columns, forward and backward, in passes of `MEASURED_TOKENS`. */
	readonly bytesPerTokenLayer: number;
}

/** Of a float32 product nobody has measured a share: half of the peak is an ASSUMPTION. */
const ASSUMED_FLOAT32_SHARE = 0.5;
/** Tokens of a pass in the record. */
const MEASURED_TOKENS = 2048;
/** Bytes that move to make a weight of 4 bits, with its scales, one of 16. */
const DEQUANTISED_BYTES = 0.5 + 1 / 15 + 2;

/** What a run does, in tokens. */
export interface RunTokens {
	readonly trained: number;
	/** Forward alone: validation after every epoch. */
	readonly scored: number;
	readonly layers: number;
	/** Weights of the matrices of all layers. */
	readonly linear: number;
	/** Tokens that go through the model at once while it is trained. */
	readonly tokensPerPass: number;
	/** Whether every block is computed a second time. */
	readonly checkpointing: boolean;
}

/** Share of memory traffic that a forward pass has of a step's. */
const FORWARD_TRAFFIC = 1 / 3;

/** Seconds of a run on one card: products and traffic one after the other, as nothing hides either. */
export function projectedSeconds(card: CardSheet, run: RunTokens, shares: MeasuredShares): number {
	const again = run.checkpointing ? 1 : 0;
	// forward, gradients of inputs, and the forward pass once more; a multiply-add is two
	const operations = 2 * run.linear * (run.trained * (2 + again) + run.scored);
	// the base is dequantised for each pass forward and backward, whatever the pass holds
	const dequantised =
		DEQUANTISED_BYTES *
		run.linear *
		run.trained *
		(2 + again) *
		(1 / run.tokensPerPass - 1 / MEASURED_TOKENS);
	const traffic =
		dequantised +
		shares.bytesPerTokenLayer *
			run.layers *
			(run.trained * (1 + again * FORWARD_TRAFFIC) + run.scored * FORWARD_TRAFFIC);
	const speed = card.peak * 1e12 * shares.products[card.arithmetic];
	return operations / speed + traffic / (card.bandwidth * 1e9 * shares.bandwidth);
}

/**
 * What a process sends to another card and gets from it, GB/s: an ASSUMPTION, below what cards on PCIe 4.0 reach. Of an adapter's gradients even that
 * takes a hundredth of a round.
 */
const ASSUMED_LINK = 20;

/** Seconds of a run on several such cards, which share the packs of a step out in rounds of one each, and add up their gradients after each. */
export function sharedSeconds(seconds: number, count: number, packs: number, trainable: number): number {
	const sent = 2 * ((count - 1) / count) * 4 * trainable;
	return seconds / count + ((packs / count) * sent) / (ASSUMED_LINK * 1e9);
}

interface Report {
	readonly products: {
		readonly result: {
			readonly rows: readonly Readonly<Record<string, number>>[];
			readonly preparing: { readonly copyGigabytesPerSecond: number };
		};
	};
	readonly training: { readonly result: { readonly fourLayersOf13B: { readonly tokensPerSecond: number } } };
}

/** The shares of a record of `check:cuda` on an H200. */
export function measuredShares(report: Report): MeasuredShares {
	const { rows, preparing } = report.products.result;
	// the shapes of a 13B model at 2,048 tokens
	const model = rows.filter(({ size }) => String(size).startsWith('2048x'));
	const mean = (key: string) => model.reduce((sum, row) => sum + row[key]!, 0) / model.length;
	const [ownSpeed, mmaSpeed] = [mean('NT') * 1e12, mean('NT, mma.sync') * 1e12];
	const mmaShare = mmaSpeed / (h200.peak * 1e12);
	const layer =
		shapeOf(knownModel('codellama-13b')!).matrices.reduce((sum, m) => sum + m.rows * m.columns, 0) / 40;
	const secondsPerTokenLayer = 1 / report.training.result.fourLayersOf13B.tokensPerSecond / 4;
	const besideProducts = secondsPerTokenLayer - (4 * layer) / ownSpeed;
	return {
		// of float16 on a T4 nobody has measured a share either: that of bfloat16 is an ASSUMPTION
		products: { bf16: mmaShare, f16: mmaShare, fp32: ASSUMED_FLOAT32_SHARE },
		bandwidth: preparing.copyGigabytesPerSecond / h200.bandwidth,
		bytesPerTokenLayer: besideProducts * preparing.copyGigabytesPerSecond * 1e9,
	};
}

/** The rows of Table 1 that are trained by QLoRA: config, the card of the paper, its hours. */
const rows = [
	['without-p3-512-ignore', 'T4', 1, 8.2],
	['without-p3-512-truncate', 'A100', 2, 3.4],
	['without-p3-256-ignore', 'T4', 1, 2.9],
	['with-p3-512-ignore', 'RTX 4080', 1, 22.1],
	['with-p3-512-truncate', 'A100', 2, 20.4],
	['with-p3-256-ignore', 'A100', 2, 18.3],
] as const;

async function main(): Promise<void> {
	const { values } = parseArgs({
		options: { 'without-p3': { type: 'string' }, 'with-p3': { type: 'string' } },
	});
	const root = new URL('../../', import.meta.url);
	const record = readdirSync(new URL('docs/gpu', root))
		.filter((name) => /^h200-.*\.json$/.test(name))
		.toSorted()
		.at(-1)!;
	const report = JSON.parse(readFileSync(new URL(`docs/gpu/${record}`, root), 'utf8')) as Report;
	const shares = measuredShares(report);
	const { layers, matrices } = shapeOf(knownModel('codellama-13b')!);
	const linear = matrices.reduce((sum, matrix) => sum + matrix.rows * matrix.columns, 0);
	const lines: string[] = [];
	for (const [name, paperCard, count, hours] of rows) {
		const data = values[name.startsWith('without') ? 'without-p3' : 'with-p3'];
		if (data === undefined) throw new Error('give --without-p3 DIR and --with-p3 DIR');
		const file = new URL(`configs/paper/qlora-${name}.yaml`, root).pathname;
		const config = loadConfig(file, { overrides: { 'data.path': data, 'backend.type': 'cpu' } });
		const { data: planned, cards: fits, trainable } = await planTraining(config);
		if ('missing' in planned) throw new Error(`no data in ${data}`);
		const epochs = config.training.epochs;
		const run: RunTokens = {
			trained: epochs * planned.tokensPerEpoch,
			scored: epochs * planned.validationTokens,
			tokensPerPass: config.sequence.length * config.training.sequencesPerPass,
			...{ layers, linear, checkpointing: false },
		};
		const secondsOn = (card: CardSheet) => {
			const fit = fits.findLast(({ gigabytes }) => gigabytes <= card.memory)!;
			return projectedSeconds(card, { ...run, checkpointing: fit.checkpointing !== false }, shares);
		};
		const alone = Object.values(cards).map(secondsOn);
		const both = sharedSeconds(secondsOn(cards.A100), 2, epochs * planned.packs, trainable);
		const projected = [...alone, both].map((seconds) => (seconds / 3600).toFixed(1));
		const published = `${count === 1 ? '' : `${count} × `}${paperCard}, ${hours} h`;
		lines.push(`| ${name} | ${(run.trained / 1e6).toFixed(1)} M | ${published} | ${projected.join(' | ')} |`);
	}
	const percent = (share: number) => `${Math.round(100 * share)} %`;
	const text = [
		'# Projected hours of the paper’s Table 1: MODELLED, NOT MEASURED',
		'',
		'**No run of 13 billion parameters has been made on any of these cards.** The hours are a calculation of',
		'`node bench/cuda/projection.ts --without-p3 DIR --with-p3 DIR` from one record of an H200 and from data sheets:',
		'',
		`- products of bfloat16 by mma.sync reach ${percent(shares.products.bf16)} of the peak, as on the H200, for whose products mma.sync is not made: pessimistic for an A100 or a 4080;`,
		`- products of float16, which a T4 computes, reach the same share, ${(cards.T4.peak * shares.products.f16).toFixed(0)} TFLOP/s: **an assumption**. It is held to 70 W: NVIDIA's own library was [reported](https://forums.developer.nvidia.com/t/about-gpu-peak-performance/264462) to reach 24 of its 65 TFLOP/s, so no kernel comes near the peak;`,
		`- products of float32, which a V100 computes, reach ${percent(shares.products.fp32)} of the peak: **an assumption**, nobody has measured them;`,
		`- whatever a step does beside products moves ${(shares.bytesPerTokenLayer / 1e6).toFixed(1)} MB a token and layer, at ${percent(shares.bandwidth)} of the memory's bandwidth, as on the H200;`,
		`- that was measured in passes of ${MEASURED_TOKENS.toLocaleString('en')} tokens; in the shorter ones of these rows (one sequence each) the base is dequantised as often as there are passes;`,
		'- the record is older than the present kernels of adapters, which were a third of the step of four layers there: no card has run the new ones;',
		'- blocks are computed twice (`training.checkpointing`) where the plan says that memory asks for it; tokens are estimated from characters, as the model’s tokenizer is not at hand;',
		`- a column is one card but for the last: two cards have a pack each of a round, and gradients go over ${ASSUMED_LINK} GB/s, **an assumption**; nobody has seen two cards share a run out.`,
		'',
		'X1 with P3 is the rebuilt set, so its hours are of other rows than the paper’s.',
		'',
		`| row | tokens trained | published | ${[...Object.keys(cards), '2 × A100'].join(', h | ')}, h |`,
		'|---|---|---|---|---|---|---|---|',
		...lines,
		'',
	].join('\n');
	writeFileSync(new URL('docs/gpu/projection.md', root), text);
	console.log(text);
}

if (import.meta.main) await main();
