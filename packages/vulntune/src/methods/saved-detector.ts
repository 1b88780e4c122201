import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
	type Backend,
	copyModelFile,
	fileError,
	type HostMatrix,
	inputError,
	type LoraConfig,
	makeFolder,
	openSafetensors,
	openWeights,
	type ParameterSpec,
	type Parameters,
	readFloat32,
	readPeftAdapter,
	readPeftPrefix,
	type WeightSource,
	writeMatrices,
	writePeftAdapter,
	writePeftPrefix,
	writeTextAtomically,
} from '@vulntune/engine';
import { DESCRIPTION, type DetectorDescription } from './description.ts';
import { type Detector, type MethodOptions, uploadAdapter } from './detector.ts';
import { peftLimit } from './peft-limit.ts';
import { promptOf, uploadPrefix } from './prefix.ts';

/** Of a detector whose head alone was trained. */
const HEAD_FILE = 'head.safetensors';
const MODEL = 'model.safetensors';
/** Beside an adapter that PEFT would give other numbers with, where whoever opens it looks. */
const CARD = 'README.md';
const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/** What lies beside a detector because it can't score without it: texts by the name of their file. */
export type Companions = Readonly<Record<string, string>>;

/**
 * Writes what was trained, next to a description of how to run it: a PEFT adapter; for full fine-tuning a whole
 * model folder; for a trained head alone its matrices. All of it is written beside the folder and takes its name only
 * when it is whole, so that weights never lie beside the threshold of others.
 */
export function saveDetector(
	folder: string,
	detector: Detector,
	method: MethodOptions,
	description: DetectorDescription,
	companions: Companions = {},
): void {
	const staging = partialOf(folder);
	try {
		makeFolder(staging);
		writeDetector(staging, detector, method, description);
		for (const [name, text] of Object.entries(companions))
			writeTextAtomically(path.join(staging, name), text);
		replaceFolder(staging, folder);
	} catch (error) {
		rmSync(staging, { recursive: true, force: true });
		throw fileError(error, folder, 'written');
	}
}

/** What stood there loses its name in one step as well; a kill in between leaves no folder, not half of one. */
function replaceFolder(staging: string, folder: string): void {
	const old = existsSync(folder) ? partialOf(folder) : undefined;
	if (old !== undefined) renameSync(folder, old);
	renameSync(staging, folder);
	if (old !== undefined) rmSync(old, { recursive: true, force: true });
}

/** A name that a run which goes on clears away. */
function partialOf(folder: string): string {
	return `${folder}-${randomBytes(4).toString('hex')}.partial`;
}

function writeDetector(
	folder: string,
	detector: Detector,
	method: MethodOptions,
	description: DetectorDescription,
): void {
	const tensors = downloadParameters(detector.backend, detector.parameters);
	if (method.type === 'full') {
		saveWholeModel(folder, tensors, description.model);
	} else if (method.type === 'head') {
		writeMatrices(path.join(folder, HEAD_FILE), tensors);
	} else {
		const isHead = (name: string) => name.startsWith('score.');
		const head = new Map([...tensors].filter(([name]) => isHead(name)));
		if (method.type === 'prefix') savePrefix(folder, detector, tensors, head, description.model);
		else saveLora(folder, method.lora, tensors, head, { description, head: detector.head });
	}
	writeTextAtomically(path.join(folder, DESCRIPTION), `${JSON.stringify(description, null, '\t')}\n`);
}

function savePrefix(
	folder: string,
	{ model: { config } }: Detector,
	tensors: ReadonlyMap<string, HostMatrix>,
	head: ReadonlyMap<string, HostMatrix>,
	baseModel: string,
): void {
	const { layers, keyValueHeads: heads } = config;
	writePeftPrefix(folder, { baseModel, layers, heads, prompt: promptOf(tensors, layers), head });
}

function saveLora(
	folder: string,
	config: LoraConfig,
	tensors: ReadonlyMap<string, HostMatrix>,
	head: ReadonlyMap<string, HostMatrix>,
	{ description, head: options }: { readonly description: DetectorDescription } & Pick<Detector, 'head'>,
): void {
	const matrices = new Map([...tensors].filter(([name]) => !head.has(name)));
	const adapter = { config, baseModel: description.model, matrices, head };
	const limit = peftLimit({ ...description, head: options });
	writePeftAdapter(folder, adapter, { isPeftHead: options !== undefined && limit === undefined });
	if (limit !== undefined)
		writeTextAtomically(path.join(folder, CARD), `# An adapter of vulntune\n\n${limit}\n`);
}

/** Copies a saved detector's matrices over the parameters. Throws ADAPTER_MISMATCH where they don't fit. */
export function restoreDetector(folder: string, detector: Detector, method: MethodOptions['type']): void {
	const { backend, parameters } = detector;
	if (method === 'prefix') {
		uploadPrefix(backend, parameters, readPeftPrefix(folder), folder);
		return;
	}
	if (method === 'qlora' || method === 'lora') {
		const adapter = readPeftAdapter(folder);
		checkHead(folder, adapter.head, parameters.specs);
		uploadAdapter(backend, parameters, adapter);
		return;
	}
	const source = method === 'full' ? openWeights(folder) : openHead(folder);
	try {
		refuseUnread(source.place, source.names, parameters.specs);
		for (const { name } of parameters.specs) {
			if (source.info(name) === undefined) throw missingTensor(source.place, name);
			backend.upload(parameters.get(name), readFloat32(source, name));
		}
	} finally {
		source.close();
	}
}

/** Throws ADAPTER_MISMATCH unless a saved head is what the parameters are. */
export function checkHead(
	place: string,
	head: ReadonlyMap<string, Pick<HostMatrix, 'shape'>>,
	specs: readonly ParameterSpec[],
): void {
	refuseUnread(place, [...head.keys()], specs);
	for (const { name, shape } of specs.filter((spec) => spec.name.startsWith('score.'))) {
		const found = head.get(name)?.shape;
		if (found === undefined) throw missingTensor(place, name);
		if (found.join() !== shape.join()) {
			throw mismatch(place, `${name} is [${found.join(', ')}], and the base needs [${shape.join(', ')}]`);
		}
	}
}

/** What a head has more would be left out without a word. */
function refuseUnread(place: string, names: readonly string[], specs: readonly ParameterSpec[]): void {
	const known = new Set(specs.map(({ name }) => name));
	const unread = names.find((name) => name.startsWith('score.') && !known.has(name));
	if (unread === undefined) return;
	throw mismatch(place, `the head has ${unread}, which nothing here has a place for`);
}

/** What a detector has whose head alone was trained. */
export function openHead(folder: string): WeightSource {
	const file = openSafetensors(path.join(folder, HEAD_FILE));
	return {
		...file,
		place: file.path,
		names: [...file.tensors.keys()],
		info: (name) => file.tensors.get(name),
	};
}

function missingTensor(place: string, name: string): Error {
	return mismatch(place, `there is no tensor ${name}`);
}

function mismatch(place: string, message: string): Error {
	return inputError('ADAPTER_MISMATCH', message, {
		place,
		remedy: 'Use the method, head and base model that it was made with.',
	});
}

function downloadParameters(backend: Backend, parameters: Parameters): Map<string, HostMatrix> {
	return new Map(
		parameters.specs.map(({ name, shape }) => [
			name,
			{ shape, values: Float32Array.from(backend.download(parameters.get(name))) },
		]),
	);
}

function saveWholeModel(folder: string, tensors: ReadonlyMap<string, HostMatrix>, model: string): void {
	writeMatrices(path.join(folder, MODEL), tensors);
	for (const name of ['config.json', ...TOKENIZER_FILES]) copyModelFile(model, name, folder);
}
