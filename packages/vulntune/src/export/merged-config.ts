import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseJsonObject, readSmallFile, type Tokenizer, writeTextAtomically } from '@vulntune/engine';
import { modelFiles } from '@vulntune/engine/formats/model-files.ts';
import { configFileName } from '../model/model-files.ts';
import type { ClassifierForm } from './classifier-form.ts';
import type { Exported } from './open-exported.ts';

/** The types that a merged model can be written in, and what transformers calls them. */
const mergedTypes = { fp32: 'float32', bf16: 'bfloat16', f16: 'float16' } as const;
export type MergedType = keyof typeof mergedTypes;

type Json = Readonly<Record<string, unknown>>;

/** The base's config.json. */
export function readBaseConfig({ base }: Pick<Exported, 'base'>): Json {
	const files = modelFiles(base.folder.path);
	const place = files.placeOf(configFileName);
	// it was read when the base was opened
	return parseJsonObject(files.read(configFileName, 16_000_000)!, { code: 'MODEL_CONFIG', place }) as Json;
}

/** Writes the config.json of a merged model, and lets the tokenizer pad with the token by which the model knows the end of a text. */
export function writeMergedConfig(
	folder: string,
	exported: Pick<Exported, 'base' | 'config'>,
	form: ClassifierForm,
	type: MergedType,
): void {
	const { base, config } = exported;
	const { quantization_config: _quantization, ...json } = readBaseConfig(exported);
	const isClass = config.objective === 'class';
	const pad = isClass && base.folder.config.causal ? paddingId(base) : undefined;
	const classes = { '0': 'not vulnerable', '1': 'vulnerable' };
	write(path.join(folder, configFileName), {
		...json,
		architectures: [form.architecture],
		['dtype' in json ? 'dtype' : 'torch_dtype']: mergedTypes[type],
		...(isClass
			? {
					id2label: classes,
					label2id: Object.fromEntries(Object.entries(classes).map(([id, label]) => [label, Number(id)])),
					problem_type: 'single_label_classification',
				}
			: { tie_word_embeddings: base.folder.config.languageHead === 'tied' }),
		...(pad === undefined ? {} : { pad_token_id: pad }),
	});
	if (pad !== undefined && pad !== base.tokenizer.padTokenId) padWithEndToken(folder);
}

/**
 * What transformers' decoders take for padding: behind the last token that is none lies the state that they classify. The end token
 * where the tokenizer pads with none that the model knows: it is never part of a function.
 */
function paddingId({ tokenizer, folder }: Exported['base']): number | undefined {
	const { padTokenId, separatorId }: Pick<Tokenizer, 'padTokenId' | 'separatorId'> = tokenizer;
	const isKnown = padTokenId !== undefined && padTokenId < folder.config.vocabularySize;
	return isKnown ? padTokenId : separatorId;
}

function padWithEndToken(folder: string): void {
	const file = path.join(folder, 'tokenizer_config.json');
	if (!existsSync(file)) return;
	const json = readJson(file);
	if (json.eos_token !== undefined) write(file, { ...json, pad_token: json.eos_token });
}

function readJson(file: string): Json {
	return parseJsonObject(readSmallFile(file, 16_000_000), { code: 'MODEL_CONFIG', place: file }) as Json;
}

function write(file: string, json: object): void {
	const text = `${JSON.stringify(json, null, 2)}\n`;
	writeTextAtomically(file, text);
}
