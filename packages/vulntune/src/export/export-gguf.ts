import path from 'node:path';
import {
	type Backend,
	type GgufModelType,
	ggufContext,
	mergedWeights,
	parseJsonObject,
	writeGgufModel,
	writeSafetensors,
} from '@vulntune/engine';
import { modelFiles } from '@vulntune/engine/formats/model-files.ts';
import { stopIfInterrupted } from './interrupted.ts';
import { readBaseConfig } from './merged-config.ts';
import type { Exported } from './open-exported.ts';
import type { WriteListeners, WrittenExport } from './written-export.ts';

/** Where the head of a classifier lies, which no GGUF file of a decoder holds. */
export function ggufHeadFile(file: string): string {
	return `${file}.head.safetensors`;
}

/** Writes a merged decoder as a GGUF file, and the head of a classifier beside it. Throws what `writeGgufModel` throws. */
export function exportGguf(
	exported: Exported,
	backend: Backend,
	file: string,
	options: WriteListeners & { readonly type: GgufModelType },
): WrittenExport {
	const { adapter, base, config, head, lora } = exported;
	const weightOf = mergedWeights(backend, base.folder, { ...config.method, adapter: lora });
	const { pool } = config.head;
	const isClass = config.objective === 'class';
	const pooling = isClass && (pool === 'last' || pool === 'mean') ? pool : undefined;
	const files = modelFiles(base.folder.path);
	const place = files.placeOf('tokenizer.json');
	const model = {
		config: base.folder.config,
		json: readBaseConfig(exported),
		tokenizer: base.tokenizer,
		// it was read when the base was opened
		tokenizerJson: parseJsonObject(files.read('tokenizer.json', 256_000_000)!, {
			code: 'TOKENIZER_FILE',
			place,
		}),
		weightOf(tensor: Parameters<typeof weightOf>[0]) {
			stopIfInterrupted(options.signal, file);
			return weightOf(tensor);
		},
		outputMatrix: !isClass,
		pooling,
		name: path.basename(path.resolve(adapter, '..')),
	} as const;
	const tensors = writeGgufModel(file, model, options.type, options.progress);
	const context = ggufContext(base.folder.config);
	const warnings = config.sequence.length > context ? [contextWarning(config.sequence.length, context)] : [];
	if (!isClass) return { tensors, files: [file], warnings };
	const headFile = ggufHeadFile(file);
	const matrices = [...head].map(([name, { shape, values }]) => {
		const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
		return { name, dtype: 'F32', shape, data } as const;
	});
	writeSafetensors(headFile, matrices, { format: 'pt' });
	return {
		tensors,
		files: [file, headFile],
		warnings: [...warnings, headWarning(headFile, pooling, config.head)],
	};
}

function contextWarning(length: number, context: number): string {
	return `llama.cpp attends to all of a text, and this model within ${context} tokens: functions above that, of up to ${length} tokens in a sequence here, get other numbers there.`;
}

function headWarning(
	file: string,
	pooling: string | undefined,
	{ pool, hidden, bias }: Exported['config']['head'],
): string {
	const seen = hidden === null ? 'state' : 'tanh(score.dense.weight · state + score.dense.bias)';
	const reading = `score.weight · ${seen}${bias ? ' + score.bias' : ''}`;
	const both = pool === 'meanMax' ? ' (their mean, and behind it their maximum)' : '';
	const how =
		pooling === undefined
			? `llama.cpp has no pooling by ${pool}: take the states of all tokens (--pooling none) and pool them yourself${both}`
			: `llama.cpp gives that as the embedding (pooling ${pooling}, not normalised: --embd-normalize -1)`;
	return `llama.cpp runs no classification head on this architecture: it lies in ${file}. Logits are ${reading} of the function's pooled state; ${how}.`;
}
