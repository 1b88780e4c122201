import {
	type Backend,
	expectedTensors,
	inputError,
	mergedWeights,
	onnxOpset,
	writeOnnxClassifier,
} from '@vulntune/engine';
import { DENSE_BIAS, DENSE_WEIGHT, SCORE, SCORE_BIAS } from '../methods/head.ts';
import { scoringOf } from '../scoring/scoring-options.ts';
import { stopIfInterrupted } from './interrupted.ts';
import type { Exported } from './open-exported.ts';
import type { WriteListeners, WrittenExport } from './written-export.ts';

/**
 * Writes a classifier, its adapter merged, as an ONNX graph. Throws EXPORT_OBJECTIVE where the next token is asked for.
 *
 * @param options.maxBytes above this size weights lie in a file beside the graph; default what one file holds
 */
export function exportOnnx(
	exported: Exported,
	backend: Backend,
	file: string,
	options: WriteListeners & { readonly maxBytes?: number | undefined },
): WrittenExport {
	const { adapter, base, config, head, lora } = exported;
	if (config.objective !== 'class') {
		throw inputError(
			'EXPORT_OBJECTIVE',
			'ONNX is written of classifiers: this detector asks for the next token',
			{
				place: adapter,
				remedy: 'Write it with --to gguf or model merge instead.',
			},
		);
	}
	const { tokens, packing } = scoringOf(config, base.tokenizer, base.folder.config);
	const weightOf = mergedWeights(backend, base.folder, { ...config.method, adapter: lora });
	const total = expectedTensors(base.folder.config).filter(({ kind }) => kind !== 'head').length;
	let done = 0;
	const dense = head.get(DENSE_WEIGHT);
	const model = {
		config: base.folder.config,
		maxPositions: packing.length,
		weightOf(tensor: Parameters<typeof weightOf>[0]) {
			stopIfInterrupted(options.signal, file);
			const values = weightOf(tensor);
			options.progress?.(++done, total);
			return values;
		},
		pool: config.head.pool,
		head: {
			score: head.get(SCORE)!,
			scoreBias: head.get(SCORE_BIAS),
			dense: dense && { weight: dense, bias: head.get(DENSE_BIAS)! },
		},
		around: { before: tokens.leading.length, behind: isClosed(exported) ? 1 : 0 },
	};
	const files = writeOnnxClassifier(file, model, options.maxBytes);
	return { tensors: total + head.size, files, warnings: [...usage(exported, packing.length)] };
}

/** An encoder sees the token that closes a function. */
function isClosed({ base }: Exported): boolean {
	return !base.folder.config.causal;
}

/** How the file is used: what a graph doesn't say. */
function* usage(exported: Exported, length: number): Generator<string> {
	const { config, description } = exported;
	const ids = isClosed(exported)
		? `a function's tokens between the tokenizer's begin and end token, at most ${length} together`
		: `a function's tokens with none added (add_special_tokens=False), at most ${length - 1}`;
	const text = config.data.collapseWhitespace ? ' White space of its text is collapsed before.' : '';
	yield `Opset ${onnxOpset}. input_ids are ${ids}; attention_mask is 1 for them and 0 for padding, on either side.${text}`;
	const threshold = description?.threshold ?? undefined;
	const from = threshold === undefined ? '' : `; this detector says vulnerable from ${threshold} on`;
	yield `softmax(logits)[1] is the probability that the function is vulnerable${from}.`;
	if (config.sequence.largeFunctions === 'window') {
		yield `vulntune reads a longer function in windows and joins their probabilities (windowCombination: ${config.sequence.windowCombination}); the file scores one window at a time.`;
	}
}
