import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import path from 'node:path';
import { type GgufModelType, inputError, makeFolder, onnxDataFile } from '@vulntune/engine';
import { blamingBase } from '../model/damaged-base.ts';
import { checkReplaced } from '../model/model-files.ts';
import { exportGguf, ggufHeadFile } from './export-gguf.ts';
import { exportOnnx } from './export-onnx.ts';
import { type Exported, type ExportedFrom, openExportBackend, openExported } from './open-exported.ts';
import type { WriteListeners } from './written-export.ts';

export type ExportForm = 'gguf' | 'onnx';

export interface ExportOptions extends ExportedFrom, WriteListeners {
	readonly to: ExportForm;
	/** Of GGUF's matrices, by default F16; ONNX has float32 and takes none. */
	readonly type?: GgufModelType | undefined;
	readonly output: string;
	readonly overwrite: boolean;
	/** Above this size ONNX's weights lie in a file beside the graph; default 2 GiB, which one file holds. */
	readonly maxBytes?: number | undefined;
	readonly note?: (line: string) => void;
}

/** What `vulntune model export --json` prints; others script against the names. */
export interface ExportReport {
	readonly run: string;
	readonly base: string;
	readonly to: ExportForm;
	readonly type: string;
	/** All that was written. */
	readonly files: readonly string[];
	readonly bytes: number;
	readonly tensors: number;
	/** What a user of the file must know. */
	readonly warnings: readonly string[];
}

/**
 * Writes a detector, its adapter merged, as a file of another runtime. One tensor at a time is in memory; the file appears whole or not at
 * all.
 *
 * Throws what `openExported` throws, EXPORT_OUTPUT_EXISTS, MODEL_OUTPUT_SAME, EXPORT_FAMILY, EXPORT_TOKENIZER, EXPORT_OBJECTIVE, EXPORT_STACK, INTERRUPTED,
 * USAGE for a type of ONNX's.
 */
export async function exportModel(options: ExportOptions): Promise<ExportReport> {
	const { output, overrides, run, to, note = () => {} } = options;
	if (to === 'onnx' && options.type !== undefined) {
		throw inputError('USAGE', 'ONNX is written in float32: --type is of GGUF alone', {
			place: '--type',
			remedy: 'Leave it out.',
		});
	}
	const written = [output, to === 'onnx' ? onnxDataFile(output) : ggufHeadFile(output)];
	for (const file of written) checkFile(file, options.overwrite);
	const exported = openExported(options, note);
	try {
		refuseStacked(exported, to);
		for (const file of written) checkReplaced([exported.config.model, exported.adapter], file);
		if (existsSync(output)) requireExported(output, to);
		const backend = openExportBackend(exported, overrides, note);
		try {
			makeFolder(path.dirname(path.resolve(output)));
			const ggufType = options.type ?? 'f16';
			const { files, tensors, warnings } = await blamingBase(exported.base.folder, () =>
				to === 'onnx'
					? exportOnnx(exported, backend, output, options)
					: exportGguf(exported, backend, output, { ...options, type: ggufType }),
			);
			const type = to === 'onnx' ? 'fp32' : ggufType;
			const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
			return { run, base: exported.config.model, to, type, files, bytes, tensors, warnings };
		} finally {
			backend.close();
		}
	} finally {
		exported.base.close();
	}
}

function refuseStacked({ stack, adapter }: Exported, to: ExportForm): void {
	if (stack === undefined) return;
	throw inputError(
		'EXPORT_STACK',
		`${to === 'onnx' ? 'an ONNX graph' : 'a GGUF file'} has no place for the n-grams whose score the head sees: its scores would be others`,
		{
			place: adapter,
			remedy: 'vulntune model merge keeps them for vulntune; for another runtime train without method.stack.',
		},
	);
}

/** `--overwrite` replaces an earlier export, and no file of another kind: a run's config.yaml, a model's weights. */
function requireExported(file: string, to: ExportOptions['to']): void {
	const start = Buffer.alloc(4);
	const descriptor = openSync(file, 'r');
	try {
		const count = readSync(descriptor, start);
		// a GGUF file says so; an ONNX graph begins with the field of its version
		const isOwn = to === 'gguf' ? start.toString('latin1') === 'GGUF' : start[0] === 0x08;
		if (count === 0 || isOwn) return;
	} finally {
		closeSync(descriptor);
	}
	throw inputError(
		'EXPORT_OUTPUT_EXISTS',
		`there is a file that is no ${to === 'gguf' ? 'GGUF file' : 'ONNX graph'}`,
		{
			place: file,
			remedy: 'Choose another name: --overwrite replaces earlier exports alone.',
		},
	);
}

function checkFile(file: string, overwrite: boolean): void {
	if (!existsSync(file)) return;
	const isFile = statSync(file).isFile();
	if (isFile && overwrite) return;
	throw inputError(
		'EXPORT_OUTPUT_EXISTS',
		isFile ? 'there is a file already' : 'something else than a file is there',
		{
			place: file,
			remedy: isFile ? 'Choose another name, or replace it with --overwrite.' : 'Choose another name.',
		},
	);
}
