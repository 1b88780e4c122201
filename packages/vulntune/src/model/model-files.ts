import { copyFileSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { copyModelFile, fileError, inputError, isGgufFile, makeFolder, placeOf } from '@vulntune/engine';
import { DESCRIPTION, STACK_FILE } from '../methods/description.ts';

export const configFileName = 'config.json';

/** Files of a model folder that hold neither shape nor weights and go with it wherever it goes. */
const companionFiles =
	/^(tokenizer\.json|tokenizer\.model|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.json|merges\.txt|chat_template\.jinja|generation_config\.json|(LICENSE|NOTICE)(\.\w+)?)$/;
/** How a model that is a detector is run: of that detector alone, not of what is made on it. */
const detectorFiles: readonly string[] = [DESCRIPTION, STACK_FILE];
const weightFiles = /^model.*\.safetensors(\.index\.json)?$/;

/** What a GGUF file holds of a tokenizer. */
const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json'];

/** Copies tokenizer, generation settings and licence; of a GGUF file, the tokenizer inside it. */
export function copyCompanions(from: string, to: string): void {
	if (isGgufFile(from)) {
		for (const name of tokenizerFiles) copyModelFile(from, name, to);
		return;
	}
	const names = readdirSync(from).filter((name) => companionFiles.test(name));
	copyFiles(from, to, names);
}

/** Copies how a detector is run, where the model is one. */
export function copyDetectorFiles(from: string, to: string): void {
	const names = detectorFiles.filter((name) => existsSync(path.join(from, name)));
	copyFiles(from, to, names);
}

function copyFiles(from: string, to: string, names: readonly string[]): void {
	for (const name of names) {
		try {
			copyFileSync(path.join(from, name), path.join(to, name));
		} catch (error) {
			throw fileError(error, path.join(to, name), 'written');
		}
	}
}

/**
 * Throws unless a model may be written to `output`: `MODEL_OUTPUT_SAME` where that is one of the folders that it is made of, whatever
 * link leads there, `MODEL_OUTPUT_EXISTS` where something is there and `overwrite` is false, or where what is there is no model.
 */
export function checkOutput(sources: readonly string[], output: string, overwrite: boolean): void {
	if (sources.some((source) => placeOf(source) === placeOf(output))) {
		throw inputError('MODEL_OUTPUT_SAME', 'the output folder is that of the model itself', {
			place: output,
			remedy: 'Choose another folder: the original stays as it is.',
		});
	}
	const names = listOutput(output);
	if (names.length === 0) return;
	if (!overwrite) {
		throw inputError('MODEL_OUTPUT_EXISTS', 'the output folder holds something already', {
			place: output,
			remedy: 'Choose another folder, or replace the model in it with --overwrite.',
		});
	}
	if (!names.includes(configFileName)) {
		throw inputError('MODEL_OUTPUT_EXISTS', 'the output folder holds something that is no model', {
			place: output,
			remedy: 'Choose another folder: --overwrite replaces models only.',
		});
	}
}

/** Throws `MODEL_OUTPUT_SAME` where a file that is to be replaced is one of those, or lies in one of the folders, that it is made of. */
export function checkReplaced(sources: readonly string[], file: string): void {
	if (!existsSync(file)) return;
	const replaced = placeOf(file);
	const isPart = (source: string) => replaced === source || path.dirname(replaced) === source;
	if (!sources.map(placeOf).some(isPart)) return;
	throw inputError('MODEL_OUTPUT_SAME', 'the output would replace a file that it is made of', {
		place: file,
		remedy: 'Choose another name: the original stays as it is.',
	});
}

function listOutput(output: string): readonly string[] {
	if (!existsSync(output)) return [];
	try {
		return readdirSync(output);
	} catch (error) {
		const code = error instanceof Error && 'code' in error ? error.code : undefined;
		if (code !== 'ENOTDIR') throw fileError(error, output, 'read');
		throw inputError('MODEL_OUTPUT_EXISTS', 'there is a file at the path of the output folder', {
			place: output,
			remedy: 'Choose another path.',
		});
	}
}

/**
 * Makes the finished folder `staging` the model at `output`. Files of a model that was there before are removed, everything else in
 * its folder stays; config.json goes last, so that nobody takes half of it for a model.
 */
export function installModel(staging: string, output: string): void {
	try {
		if (listOutput(output).length === 0) {
			rmSync(output, { recursive: true, force: true });
			renameSync(staging, output);
			return;
		}
		rmSync(path.join(output, configFileName), { force: true });
		for (const name of readdirSync(output)) {
			const isOfModel = weightFiles.test(name) || companionFiles.test(name) || detectorFiles.includes(name);
			if (isOfModel) rmSync(path.join(output, name));
		}
		const names = readdirSync(staging).filter((name) => name !== configFileName);
		for (const name of [...names, configFileName]) {
			renameSync(path.join(staging, name), path.join(output, name));
		}
		rmSync(staging, { recursive: true });
	} catch (error) {
		throw fileError(error, output, 'written');
	}
}

/** A folder beside `output`, on the same disk, to build in; its parents are made. */
export function makeStaging(output: string): string {
	const staging = `${path.resolve(output)}.${process.pid}.partial`;
	try {
		rmSync(staging, { recursive: true, force: true });
		makeFolder(staging);
	} catch (error) {
		throw fileError(error, output, 'written');
	}
	return staging;
}
