import { quantizedTypes } from '@vulntune/engine/quantize/types.ts';
import { floatBases, type ParsedConfig } from './schema.ts';

/** A rule between options. It is tried only when all of `options` are right by themselves. */
export interface CrossCheck<Parsed> {
	/** Names of the options it reads; a fault is shown at the first. */
	readonly options: readonly string[];
	/** What is wrong, undefined where nothing is. */
	check(config: Parsed): string | undefined;
}

const quantized: readonly string[] = quantizedTypes;

export const crossChecks: readonly CrossCheck<ParsedConfig>[] = [
	{
		options: ['method.base', 'method.type'],
		check({ method: { type, base } }) {
			if (base === undefined || type === 'ngram') return undefined;
			const isQuantized = quantized.includes(base);
			if (type === 'qlora' && !isQuantized) {
				return `expected one of ${quantizedTypes.join(', ')} for qlora, found ${base} (or set method.type to lora)`;
			}
			if (type === 'full' && base !== 'fp32') {
				return `expected fp32 for full, which holds the weights that it trains as fp32, found ${base} (or set method.type to ${isQuantized ? 'qlora' : 'lora'})`;
			}
			if (type !== 'qlora' && isQuantized) {
				return `expected ${floatBases.join(' or ')} for ${type}, found ${base} (or set method.type to qlora)`;
			}
			return undefined;
		},
	},
	{
		options: ['training.precision', 'method.type'],
		check({ training: { precision }, method: { type } }) {
			if (precision !== 'int8' || type !== 'full') return undefined;
			return 'expected bf16 or fp32 for full, which has no frozen weights to multiply in 8 bits, found int8 (or set method.type to lora)';
		},
	},
	{
		options: ['objective', 'method.type'],
		check({ objective, method: { type } }) {
			if (objective !== 'nextToken' || !['head', 'ngram', 'prefix'].includes(type)) return undefined;
			return `expected class for method.type ${type}, which trains a classifier only, found nextToken`;
		},
	},
	{
		options: ['nextToken.negative', 'nextToken.positive'],
		check({ nextToken }) {
			if (nextToken.positive !== nextToken.negative) return undefined;
			return `expected another answer than nextToken.positive, found ${JSON.stringify(nextToken.negative)} for both`;
		},
	},
	{
		options: ['training.sequencesPerPass', 'training.accumulation'],
		check({ training: { sequencesPerPass, accumulation } }) {
			if (sequencesPerPass <= accumulation) return undefined;
			return `expected no more than training.accumulation (${accumulation}), the sequences of a step, found ${sequencesPerPass}`;
		},
	},
	{
		options: ['sequence.windowStride', 'sequence.length'],
		check({ sequence: { windowStride, length } }) {
			if (windowStride === null || windowStride < length) return undefined;
			return `expected less than sequence.length (${length}), so that windows leave no gap, found ${windowStride}`;
		},
	},
	{
		options: ['sequence.sharePrefixes', 'method.type'],
		check({ sequence: { sharePrefixes }, method: { type } }) {
			if (!sharePrefixes || type !== 'prefix') return undefined;
			return 'expected false for method.type prefix, whose own prefix stands where a shared one would';
		},
	},
	{
		options: ['method.layersToTransform'],
		check({ method: { layersToTransform: blocks } }) {
			// one way to say it, since it is a part of a run's identity
			if (blocks === null || blocks.every((block, i) => i === 0 || blocks[i - 1]! < block)) return undefined;
			return `expected blocks in ascending order, each once, found [${blocks.join(', ')}]`;
		},
	},
	{
		options: ['method.bidirectionalLayers', 'objective', 'sequence.packing', 'sequence.sharePrefixes'],
		check({ method: { bidirectionalLayers: count }, objective, sequence: { packing, sharePrefixes } }) {
			if (count === 0) return undefined;
			if (objective !== 'class') {
				return `expected 0 where objective is ${objective}, which asks what comes next, found ${count}`;
			}
			if (packing === 'leaky') {
				return `expected 0 where sequence.packing is leaky, whose functions see what lies before them alone, found ${count}`;
			}
			if (sharePrefixes) {
				return `expected 0, or sequence.sharePrefixes false, because what a function begins with then depends on what follows, found ${count}`;
			}
			return undefined;
		},
	},
	{
		options: ['loss.pair', 'sequence.packing', 'sequence.largeFunctions', 'method.type'],
		check({ loss: { pair }, sequence: { packing, largeFunctions }, method: { type } }) {
			if (pair === null) return undefined;
			if (packing === 'none') {
				return `expected null where sequence.packing is none, because a pair is learnt from in one sequence, found ${pair}`;
			}
			if (largeFunctions === 'window') {
				return `expected null where sequence.largeFunctions is window, because pairs are of whole functions, found ${pair}`;
			}
			if (pair === 'contrastive' && type === 'head') {
				return 'expected rank or null for method.type head, whose base gives the same states whatever is learnt, found contrastive';
			}
			return undefined;
		},
	},
	{
		options: ['sequence.sharePrefixes', 'sequence.packing'],
		check({ sequence: { sharePrefixes, packing } }) {
			if (!sharePrefixes || packing === 'isolated') return undefined;
			return `expected false where sequence.packing is ${packing}: prefixes can be shared in isolated packs only`;
		},
	},
];
