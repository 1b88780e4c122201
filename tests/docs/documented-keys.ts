import { findArchitecture } from '@vulntune/engine/formats/gguf/architecture.ts';
import { generalKeys } from '@vulntune/engine/formats/gguf/model-config.ts';
import { tokenizerKeys as ggufTokenizerKeys } from '@vulntune/engine/formats/gguf/model-tokenizer.ts';
import {
	foreignConfigKeys,
	neutralConfigKeys,
	vocabularyConfigKeys,
} from '@vulntune/engine/formats/huggingface/config-keys.ts';
import {
	awqKeys,
	bitsandbytesKeys,
	gptqKeys,
} from '@vulntune/engine/formats/huggingface/quantization-config.ts';
import { type KeyTable, keyTable } from '@vulntune/engine/formats/known-keys.ts';
import {
	addedTokenKeys,
	modelKeys,
	stepKeys,
	tokenizerConfigKeys,
	tokenizerKeys,
	wordPieceKeys,
} from '@vulntune/engine/formats/tokenizer/tokenizer-keys.ts';
import { adapterConfigKeys } from '@vulntune/engine/models/adapter-config.ts';
import { families } from '@vulntune/engine/models/families.ts';
import { prefixConfigKeys } from '@vulntune/engine/models/peft-prefix.ts';

const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ');

/** A table of keys as docs/models.md has it. */
function section(title: string, table: KeyTable): string {
	const keysOf = (rule: string) => [...table].filter(([, own]) => own === rule).map(([key]) => key);
	const only = [...table].flatMap(([key, rule]) =>
		typeof rule === 'string'
			? []
			: [`\`${key}\`: ${rule.map((value) => `\`${JSON.stringify(value)}\``).join(' or ')}`],
	);
	const lines = [
		['Used', code(keysOf('used'))],
		['Change nothing', code(keysOf('neutral'))],
		['Only with these values', only.join('; ')],
		['Refused unless off', code(keysOf('off'))],
	].filter(([, text]) => text !== '');
	return `## ${title}\n\n${lines.map(([what, text]) => `- ${what}: ${text}.`).join('\n')}\n`;
}

/** What every family's file may have, but for what a family says of it itself. */
export const sharedConfigKeys = keyTable({
	used: vocabularyConfigKeys,
	neutral: neutralConfigKeys,
	off: foreignConfigKeys,
});

function withoutShared(keys: KeyTable): KeyTable {
	return new Map([...keys].filter(([key, rule]) => sharedConfigKeys.get(key) !== rule));
}

function steps(): string {
	const kinds = Object.entries(stepKeys).map(
		([kind, types]) => `- \`${kind}\`: ${code(Object.keys(types))}.`,
	);
	return `## Steps of tokenizer.json\n\n${kinds.join('\n')}\n`;
}

/** The sections of docs/models.md that say what becomes of each key, from the tables that readers go by. */
export const documentedKeys: readonly string[] = [
	section('adapter_config.json', adapterConfigKeys),
	section('config.json of every model_type', sharedConfigKeys),
	...families.map(({ keys, modelTypes }) =>
		section(`config.json of model_type ${modelTypes.join(', ')}`, withoutShared(keys)),
	),
	section('adapter_config.json of PREFIX_TUNING', prefixConfigKeys),
	section('quantization_config of bitsandbytes', bitsandbytesKeys),
	section('quantization_config of GPTQ', gptqKeys),
	section('quantization_config of AWQ', awqKeys),
	section('Metadata of GGUF files', generalKeys),
	...['llama', 'starcoder2', 'starcoder'].map((name) =>
		section(`Keys of ${name} in GGUF files`, findArchitecture(name)!.keys),
	),
	section('Keys of the tokenizer in GGUF files', ggufTokenizerKeys),
	section('tokenizer.json', tokenizerKeys),
	section('The BPE model in tokenizer.json', modelKeys),
	section('The WordPiece model in tokenizer.json', wordPieceKeys),
	section('An added token', addedTokenKeys),
	steps(),
	section('tokenizer_config.json', tokenizerConfigKeys),
];
