import { type HostMatrix, inputError, type ModelConfig } from '@vulntune/engine';
import { STACK_FILE } from '../methods/description.ts';
import {
	CLASSES,
	DENSE_BIAS,
	DENSE_WEIGHT,
	type HeadOptions,
	isPeftHead,
	SCORE,
	SCORE_BIAS,
} from '../methods/head.ts';

/** What transformers' classes of a model type are called, before `ForCausalLM` and its like. */
const classNames: Readonly<Record<string, string>> = {
	bert: 'Bert',
	gpt_bigcode: 'GPTBigCode',
	gpt_neox: 'GPTNeoX',
	llama: 'Llama',
	mistral: 'Mistral',
	modernbert: 'ModernBert',
	qwen2: 'Qwen2',
	qwen3: 'Qwen3',
	roberta: 'Roberta',
	starcoder2: 'Starcoder2',
};

/** Where transformers' encoders have a head of the form out(tanh(dense(first state))). */
const encoderHeads: Readonly<Record<string, { readonly dense: string; readonly out: string }>> = {
	bert: { dense: 'bert.pooler.dense', out: 'classifier' },
	roberta: { dense: 'classifier.dense', out: 'classifier.out_proj' },
};

/** The form in which transformers takes a detector. */
export interface ClassifierForm {
	/** The class that opens the folder: `LlamaForSequenceClassification`. */
	readonly architecture: string;
	/** The head's tensors in that class; none where it has no such head. */
	readonly tensors: ReadonlyMap<string, HostMatrix>;
	/** Why AutoModelForSequenceClassification would not give the detector's numbers; undefined where it does, or has none to give. */
	readonly warning: string | undefined;
}

/**
 * How transformers runs a detector.
 *
 * Throws EXPORT_FAMILY for a model type whose classes aren't known here.
 *
 * @param head undefined for the next-token objective
 */
export function classifierForm(
	modelType: string,
	{ causal, hiddenSize }: Pick<ModelConfig, 'causal' | 'hiddenSize'>,
	head: { readonly options: HeadOptions; readonly tensors: ReadonlyMap<string, HostMatrix> } | undefined,
): ClassifierForm {
	if (!Object.hasOwn(classNames, modelType)) {
		throw inputError('EXPORT_FAMILY', `models of the type ${modelType} are not written in this form`, {
			place: 'model_type',
			remedy: `Those of ${Object.keys(classNames).join(', ')} are.`,
		});
	}
	const name = classNames[modelType]!;
	const none: ReadonlyMap<string, HostMatrix> = new Map();
	if (head === undefined) return { architecture: `${name}ForCausalLM`, tensors: none, warning: undefined };
	const architecture = `${name}ForSequenceClassification`;
	if (head.options.stacked === true) {
		return {
			architecture: `${name}Model`,
			tensors: none,
			warning: stackWarning(architecture, head.options.pool),
		};
	}
	if (causal && isPeftHead(head.options)) return { architecture, tensors: none, warning: undefined };
	const encoder = causal ? undefined : encoderHeads[modelType];
	const { pool, hidden, bias = false } = head.options;
	if (encoder !== undefined && pool === 'first' && hidden !== null && hidden <= hiddenSize) {
		return { architecture, tensors: encoderTensors(encoder, head.tensors, hiddenSize), warning: undefined };
	}
	return {
		architecture: `${name}Model`,
		tensors: none,
		warning: `transformers' ${architecture} ${causal ? 'pools the last token and knows one matrix' : 'pools the first token behind a hidden layer'}, and this detector has pool: ${pool}, hidden: ${hidden}, bias: ${bias}. AutoModelForSequenceClassification would make a new head: take the states of AutoModel, and the head's score.… tensors of the file, or score with vulntune.`,
	};
}

function stackWarning(architecture: string, pool: string): string {
	return `the head (pool: ${pool}) also sees the score of n-grams, which transformers' ${architecture} knows nothing of: AutoModelForSequenceClassification would give other numbers. Score the folder with vulntune, which finds the n-grams in ${STACK_FILE}.`;
}

/** A hidden layer smaller than the model's is filled up with units that are always 0. */
function encoderTensors(
	{ dense, out }: { readonly dense: string; readonly out: string },
	head: ReadonlyMap<string, HostMatrix>,
	hiddenSize: number,
): ReadonlyMap<string, HostMatrix> {
	const [weight, bias, score] = [DENSE_WEIGHT, DENSE_BIAS, SCORE].map((name) => head.get(name)!);
	const hidden = bias!.values.length;
	const paddedWeight = new Float32Array(hiddenSize * hiddenSize); // [H, H]
	paddedWeight.set(weight!.values);
	const paddedBias = new Float32Array(hiddenSize); // [H]
	paddedBias.set(bias!.values);
	const paddedScore = new Float32Array(CLASSES * hiddenSize); // [2, H]
	for (let row = 0; row < CLASSES; row++) {
		paddedScore.set(score!.values.subarray(row * hidden, (row + 1) * hidden), row * hiddenSize);
	}
	return new Map([
		[`${dense}.weight`, { shape: [hiddenSize, hiddenSize], values: paddedWeight }],
		[`${dense}.bias`, { shape: [hiddenSize], values: paddedBias }],
		[`${out}.weight`, { shape: [CLASSES, hiddenSize], values: paddedScore }],
		[`${out}.bias`, { shape: [CLASSES], values: head.get(SCORE_BIAS)?.values ?? new Float32Array(CLASSES) }],
	]);
}
