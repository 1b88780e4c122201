import type { ExpectedTensor } from '../formats/huggingface/expected-tensor.ts';
import { bert } from './families/bert.ts';
import { gptBigCode } from './families/gpt-bigcode.ts';
import { gptNeox } from './families/gpt-neox.ts';
import { llama } from './families/llama.ts';
import { mistral } from './families/mistral.ts';
import { modernBert } from './families/modern-bert.ts';
import { qwen2, qwen3 } from './families/qwen.ts';
import { roberta } from './families/roberta.ts';
import { starcoder2 } from './families/starcoder2.ts';
import type { Family } from './family.ts';
import type { ModelConfig } from './model.ts';
import { namedTensor, placement, recordTensors } from './placement.ts';
import type { TransformerWeights } from './transformer.ts';

/** All kinds of models that are read; a new one is a file of its own and a line here. */
export const families = [
	llama,
	mistral,
	qwen2,
	qwen3,
	starcoder2,
	gptBigCode,
	gptNeox,
	roberta,
	bert,
	modernBert,
] as unknown as readonly Family[];

/** The family whose config this is. */
export function familyOf({ architecture }: Pick<ModelConfig, 'architecture'>): Family {
	return families.find(({ name }) => name === architecture)!;
}

/** Every tensor that a checkpoint of this model must have, in the order in which a forward pass uses them. */
export function expectedTensors(config: ModelConfig): readonly ExpectedTensor[] {
	return recordTensors((place) => familyOf(config).weights(config, place));
}

/** How this model is put together, its weights only named: for what is asked before anything is loaded. */
export function namedWeights(config: ModelConfig): TransformerWeights {
	return familyOf(config).weights(config, placement(namedTensor));
}

/** The matrix from states to logits as a checkpoint names it, which holds one of its own or ties it to the embedding. */
export function headTensor(config: ModelConfig): ExpectedTensor | undefined {
	return expectedTensors({ ...config, languageHead: 'own' }).find(({ kind }) => kind === 'head');
}
