import { type DetectorDescription, STACK_FILE } from '../methods/description.ts';
import { formatBytes, formatNumber } from '../terminal/format.ts';
import type { AdapterInfo } from './adapter-info.ts';
import type { ModelInfo } from './model-info.ts';

/** A model as lines for people; what it takes in memory is told apart (`memory-text.ts`). */
export function describeModel(info: ModelInfo): string {
	const { sizes, parameters: counts, weights } = info;
	const share = (count: number) => `${((100 * count) / counts.total).toFixed(1)} %`;
	const part = (name: string, count: number): Line => [
		`  ${name}`,
		`${formatNumber(count)} (${share(count)})`,
	];
	const lines: Line[] = [
		['architecture', info.architecture],
		['layers', String(sizes.layers)],
		['hidden size', `${sizes.hiddenSize}, feed-forward ${sizes.intermediateSize}`],
		['heads', `${sizes.heads} of ${sizes.headDim}, for keys and values ${sizes.keyValueHeads}`],
		['vocabulary', formatNumber(sizes.vocabularySize)],
		['longest sequence', `${formatNumber(info.maxPositions)} tokens`],
		['parameters', formatNumber(counts.total)],
		part('embedding', counts.embedding),
		part('attention', counts.attention),
		part('feed-forward', counts.feedForward),
		part('norms', counts.norms),
		sizes.tieWordEmbeddings
			? ['  output head', 'is the embedding']
			: counts.outputHead === 0
				? ['  output head', 'none']
				: part('output head', counts.outputHead),
	];
	if (weights !== null) {
		lines.push(['weights', `${formatBytes(weights.bytes)} in ${formatNumber(weights.tensors)} tensors`]);
		for (const [dtype, { tensors, bytes }] of Object.entries(weights.dtypes)) {
			lines.push([`  ${dtype}`, `${formatBytes(bytes)} in ${formatNumber(tensors)} tensors`]);
		}
	}
	lines.push(['quantisation', describeStorage(info)], ...describeTokenizer(info.tokenizer));
	if (info.fingerprint !== null) {
		const parts = Object.entries(info.fingerprint).map(([part, sum]) => `${part} ${sum.slice(0, 12)}`);
		lines.push(['fingerprint', parts.join(', ')]);
	}
	if (info.detector !== null) lines.push(...describeDetector(info.detector));
	if (info.problems.length === 0) {
		const parts = info.tokenizer === null ? 'config and weights' : 'config, weights and tokenizer';
		lines.push(['fit', `${parts} belong together`]);
	}
	const problems = info.problems.map(({ message }) => `problem: ${message}`);
	return [info.path, ...columns(lines), ...problems].join('\n');
}

/** An adapter as lines for people. */
export function describeAdapter(info: AdapterInfo): string {
	const { lora, prefix, head } = info;
	const lines: Line[] = [
		['base model', info.baseModel],
		['  found there', describeFoundBase(info.base)],
	];
	if (lora !== null) {
		lines.push(
			['rank', `${lora.rank}, alpha ${lora.alpha} (scale ${lora.scale}${lora.rsLora ? ', rsLoRA' : ''})`],
			['dropout', String(lora.dropout)],
			['targets', `${lora.targets.join(', ')}: ${lora.modules} modules in blocks ${rangesOf(lora.blocks)}`],
			['parameters', formatNumber(lora.parameters)],
		);
	}
	if (prefix !== undefined) {
		const { length, layers, parameters } = prefix;
		lines.push(
			['prefix', `${length} keys and values in ${layers} blocks`],
			['parameters', formatNumber(parameters)],
		);
	}
	const tensors = Object.entries(head?.tensors ?? {}).map(([name, shape]) => `${name} [${shape.join(', ')}]`);
	lines.push(['head', head === null ? 'none' : `${tensors.join(', ')}: ${formatNumber(head.parameters)}`]);
	lines.push(['bytes', formatBytes(info.bytes)]);
	if (info.detector !== null) lines.push(...describeDetector(info.detector));
	return [`${info.path} (adapter)`, ...columns(lines)].join('\n');
}

/** 0, 1, 2, 5 as 0–2, 5. */
function rangesOf(ascending: readonly number[]): string {
	const ranges: [first: number, last: number][] = [];
	for (const number of ascending) {
		const range = ranges.at(-1);
		if (range?.[1] === number - 1) range[1] = number;
		else ranges.push([number, number]);
	}
	return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(', ');
}

function describeFoundBase({ state, difference }: AdapterInfo['base']): string {
	switch (state) {
		case 'same':
			return 'the base that the adapter was made on';
		case 'other':
			return `not the base that the adapter was made on: ${difference}`;
		case 'absent':
			return 'nothing (--model says where the base lies)';
		case 'unchecked':
			return 'a model; the adapter does not say which it was made on';
	}
}

type Line = readonly [name: string, value: string];

function columns(lines: readonly Line[]): readonly string[] {
	const width = Math.max(...lines.map(([name]) => name.length)) + 2;
	return lines.map(([name, value]) => `  ${name.padEnd(width)}${value}`);
}

function describeStorage({ quantization, weights }: ModelInfo): string {
	if (quantization === null) {
		const blocks = Object.keys(weights?.dtypes ?? {}).filter((type) => /^I?Q\d/.test(type));
		return blocks.length === 0 ? 'none' : `${blocks.join(', ')} of GGUF, read as what the codes stand for`;
	}
	const { type, method, doubleQuantization, bitsPerWeight } = quantization;
	const double = doubleQuantization === true ? ', scales quantised too' : '';
	const bits =
		bitsPerWeight === null ? '' : `, ${bitsPerWeight.toFixed(2)} bits per weight of the linear layers`;
	return `${type} in ${method === 'vulntune' ? 'a layout of vulntune' : `the layout of ${method}`}${double}${bits}`;
}

function describeTokenizer(tokenizer: ModelInfo['tokenizer']): readonly Line[] {
	if (tokenizer === null) return [['tokenizer', 'none']];
	const id = (value: number | null) => (value === null ? 'none' : String(value));
	const { bosTokenId, eosTokenId, padTokenId, separatorId } = tokenizer;
	return [
		[
			'tokenizer',
			`${formatNumber(tokenizer.vocabularySize)} ids, ${formatNumber(tokenizer.specialTokens)} special`,
		],
		[
			'  ids',
			`begin ${id(bosTokenId)}, end ${id(eosTokenId)}, padding ${id(padTokenId)}, separator ${id(separatorId)}`,
		],
	];
}

function describeDetector(detector: DetectorDescription): readonly Line[] {
	const { threshold, sequence, epoch, seed, bidirectionalLayers } = detector;
	const { method, base } = detector.trained ?? detector;
	const merged = detector.trained === undefined ? '' : ', merged';
	return [
		['trained by', `${method} on ${base}, epoch ${epoch}, seed ${seed}${merged}`],
		...(bidirectionalLayers === undefined
			? []
			: [['sight', `the last ${bidirectionalLayers} blocks see both ways`] as const]),
		['precision', detector.precision],
		['objective', detector.objective],
		// a file that was written by hand may say little
		...(detector.objective === 'class' && detector.head !== undefined
			? [['pooling', detector.head.pool] as const]
			: []),
		...(detector.stack === undefined ? [] : [['stacked on', `n-grams, in ${STACK_FILE}`] as const]),
		[
			'sequence',
			`${sequence.length} tokens, ${sequence.packing}, large functions: ${sequence.largeFunctions}`,
		],
		['threshold', threshold === null ? 'none: validation had one class' : `${threshold} (from validation)`],
	];
}
