import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { type GgufModelType, inputError, makeFolder } from '@vulntune/engine';
import { blamingBase } from '../model/damaged-base.ts';
import { exportGguf } from './export-gguf.ts';
import { type ExportedFrom, openExportBackend, openExported } from './open-exported.ts';

export type ExportForm = 'gguf' | 'onnx';

export interface ExportOptions extends ExportedFrom {
	readonly to: ExportForm;
	/** Of GGUF's matrices; undefined for F16. ONNX has float32. */
	readonly type: GgufModelType | undefined;
	readonly output: string;
	readonly overwrite: boolean;
	readonly progress?: (done: number, total: number) => void;
	readonly note?: (line: string) => void;
	readonly signal?: AbortSignal;
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
 * Throws what `openExported` throws, EXPORT_OUTPUT_EXISTS, EXPORT_FAMILY, EXPORT_TOKENIZER, INTERRUPTED.
 */
export async function exportModel(options: ExportOptions): Promise<ExportReport> {
	const { output, overrides, run, to, note = () => {} } = options;
	checkFile(output, options.overwrite);
	const exported = openExported(options, note);
	try {
		const backend = openExportBackend(exported, overrides, note);
		try {
			makeFolder(path.dirname(path.resolve(output)));
			const type = options.type ?? 'f16';
			const { files, tensors, warnings } = await blamingBase(exported.base.folder, () =>
				exportGguf(exported, backend, output, { ...options, type }),
			);
			const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
			return { run, base: exported.config.model, to, type, files, bytes, tensors, warnings };
		} finally {
			backend.close();
		}
	} finally {
		exported.base.close();
	}
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
