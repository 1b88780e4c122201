import { existsSync } from 'node:fs';
import path from 'node:path';
import {
	type Backend,
	createDryBackend,
	type HostMatrix,
	inputError,
	type ModelConfig,
	type ParameterSpec,
	type PeftAdapter,
	readFloat32,
	readPeftAdapter,
} from '@vulntune/engine';
import type { StackedNgram } from '../baselines/ngram/stack.ts';
import { readStack } from '../baselines/ngram/stack-file.ts';
import { resolveConfig } from '../config/load.ts';
import type { ConfigOverrides } from '../config/overrides.ts';
import type { Config } from '../config/schema.ts';
import { findAdapter, unfinishedRun } from '../evaluation/evaluated-adapter.ts';
import { openEvaluatedBase, openEvaluationBackend } from '../evaluation/evaluated-base.ts';
import { adapterFolder } from '../methods/adapter-folder.ts';
import { DESCRIPTION, type DetectorDescription, readDescription } from '../methods/description.ts';
import { createDryDetector, placedAdapter } from '../methods/detector.ts';
import { checkHead, openHead } from '../methods/saved-detector.ts';
import { type Base, openBase, uncheckedBase } from '../model/open-base.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { detectorOptions } from '../scoring/configured-detector.ts';

/** A detector whose base is open, to be written in another form. */
export interface Exported {
	/** Folder of what was trained. */
	readonly adapter: string;
	/** How it is run; for an adapter that another tool saved, as that runs it: on the base as it is, asked about the last token. */
	readonly config: Config;
	/** undefined for an adapter that another tool saved. */
	readonly description: DetectorDescription | undefined;
	readonly base: Base;
	/** undefined where all weights, or the head alone, were trained. */
	readonly lora: PeftAdapter | undefined;
	/** `score.…`; empty where the next token is asked for. */
	readonly head: ReadonlyMap<string, HostMatrix>;
	/** The n-grams that a stacked head sees the score of. */
	readonly stack: StackedNgram | undefined;
	/** undefined for an adapter that lies outside the run that made it. */
	readonly run: RunFolder | undefined;
}

export interface ExportedFrom {
	/** A run folder or an adapter folder. */
	readonly run: string;
	/** Options of the run's config that are others here: `model` and those of the backend. */
	readonly overrides: ConfigOverrides;
	readonly allowOtherBase: boolean;
}

/**
 * Opens a run or an adapter with its base, to be written in another form; the caller closes the base.
 *
 * Throws RUN_NOT_FOUND, RUN_UNFINISHED, MODEL_NOT_FOUND, BASE_MISMATCH, EXPORT_PREFIX, EXPORT_BIDIRECTIONAL, USAGE for n-grams, which have no model.
 *
 * @param note told what to be wary of
 */
export function openExported(
	{ run, overrides, allowOtherBase }: ExportedFrom,
	note: (line: string) => void,
): Exported {
	const folder = adapterFolder(run);
	const isForeign =
		!existsSync(path.join(folder, DESCRIPTION)) && existsSync(path.join(folder, 'adapter_config.json'));
	if (isForeign) {
		note(uncheckedBase);
		return openForeign(folder, overrides);
	}
	const { config, adapter, run: ownRun } = findAdapter(run, '.', overrides);
	if (config.method.type === 'ngram') {
		throw inputError('USAGE', 'n-grams are no model: there is nothing to write in another form', {
			place: run,
		});
	}
	if (config.method.type === 'prefix') {
		throw inputError('EXPORT_PREFIX', 'a prefix has no place in the weights of a model', {
			place: run,
			remedy: "PEFT reads the run's adapter folder as it is (PREFIX_TUNING), with the base beside it.",
		});
	}
	if (config.method.bidirectionalLayers > 0) {
		throw inputError(
			'EXPORT_BIDIRECTIONAL',
			`no form of a model says that its last ${config.method.bidirectionalLayers} blocks see both ways: another program would compute something else`,
			{ place: run, remedy: `Score with the run as it is: vulntune evaluate ${run}.` },
		);
	}
	const description = readDescription(adapter);
	if (description === undefined) throw unfinishedRun(adapter);
	const stack = description.stack && readStack(adapter, description.stack);
	const { base, caution } = openEvaluatedBase(config, adapter, description, allowOtherBase);
	try {
		if (caution !== undefined) note(caution);
		const trained = trainedParts(config, adapter, base);
		return { adapter, config, description, base, ...trained, stack, run: ownRun };
	} catch (error) {
		base.close();
		throw error;
	}
}

/** The backend that a detector's logits are computed on: the run's, or what was asked for by name. */
export function openExportBackend(
	{ config, run }: Pick<Exported, 'config' | 'run'>,
	overrides: ConfigOverrides,
	note: (line: string) => void,
): Backend {
	const isAskedFor = Object.keys(overrides).some((name) => name.startsWith('backend.'));
	return openEvaluationBackend(run, config.backend, isAskedFor, note);
}

/** What was trained, by the method that did. */
function trainedParts(config: Config, adapter: string, { folder }: Base): Pick<Exported, 'lora' | 'head'> {
	const { method, objective } = config;
	if (method.type === 'lora' || method.type === 'qlora') {
		return fitted(config, adapter, readPeftAdapter(adapter), folder.config);
	}
	if (objective === 'nextToken') return { lora: undefined, head: new Map() };
	const source = method.type === 'full' ? folder.weights : openHead(adapter);
	try {
		const names = source.names.filter((name) => name.startsWith('score.'));
		const matrixOf = (name: string): HostMatrix => ({
			shape: source.info(name)!.shape,
			values: readFloat32(source, name),
		});
		const head = new Map(names.map((name) => [name, matrixOf(name)]));
		checkHead(adapter, head, specsOf({ ...config, method: { ...method, type: 'head' } }, folder.config));
		return { lora: undefined, head };
	} finally {
		if (source !== folder.weights) source.close();
	}
}

/**
 * An adapter with its matrices under the names that the base has. Throws ADAPTER_MISMATCH where they don't fit it: what is written
 * tensor by tensor would leave them out without a word.
 */
function fitted(
	config: Config,
	adapter: string,
	lora: PeftAdapter,
	model: ModelConfig,
): Pick<Exported, 'lora' | 'head'> {
	const specs = specsOf(config, model);
	checkHead(adapter, lora.head, specs);
	const placed = [...placedAdapter(specs, lora)];
	return {
		lora: { ...lora, matrices: new Map(placed.filter(([name]) => !lora.head.has(name))) },
		head: lora.head,
	};
}

/** Names and shapes of all that a config trains on a base. */
function specsOf(config: Config, model: ModelConfig): readonly ParameterSpec[] {
	return createDryDetector(createDryBackend(), model, detectorOptions(config)).parameters.specs;
}

/** An adapter that PEFT saved, on its base as the file has it. */
function openForeign(folder: string, overrides: ConfigOverrides): Exported {
	const lora = readPeftAdapter(folder);
	const { rank, alpha, rsLora, targets } = lora.config;
	const model = overrides.model ?? lora.baseModel;
	if (!existsSync(model)) {
		throw inputError('MODEL_NOT_FOUND', `the base model of the adapter is not there (${model})`, {
			place: folder,
			remedy: 'Say where it lies with --model.',
		});
	}
	const value = {
		model,
		data: { path: '.' },
		method: { type: 'lora', base: 'fp32', rank, alpha, rsLora, targets },
		objective: lora.head.size > 0 ? 'class' : 'nextToken',
		training: { precision: 'fp32' },
		output: folder,
	};
	const { model: _model, ...others } = overrides;
	const config = resolveConfig(value, { place: folder, folder: '.', overrides: others, isRecord: true });
	const base = openBase(config);
	try {
		const trained = fitted(config, folder, lora, base.folder.config);
		const none = { description: undefined, stack: undefined, run: undefined };
		return { adapter: folder, config, base, ...trained, ...none };
	} catch (error) {
		base.close();
		throw error;
	}
}
