import { createHash } from 'node:crypto';
import {
	adaptedModules,
	checkBaseType,
	checkBidirectional,
	checkPrefix,
	expectedTensors,
	inputError,
	loraScale,
	loraSpecs,
	type ModelConfig,
	namedWeights,
	type PeftAdapter,
	readPeftAdapter,
} from '@vulntune/engine';
import type { Config } from '../config/schema.ts';
import { adapterFolder } from '../methods/adapter-folder.ts';
import { readDescription, type StackDescription } from '../methods/description.ts';
import { checkTrainable } from '../model/base-model.ts';
import { type Base, checkBase, checkPositions, openBase, type RecordedBase } from '../model/open-base.ts';
import { methodOf, positionsOf } from '../scoring/configured-detector.ts';

/** The adapter of `method.from`. */
export interface StartAdapter {
	readonly adapter: PeftAdapter;
	/** SHA-256 of its matrices, in hex. */
	readonly hash: string;
	readonly base: RecordedBase;
	/** What is said of the n-grams that its head sees; undefined where it sees none. */
	readonly stack: StackDescription | undefined;
}

/** The base of a training, open, with the adapter that it starts from. */
export interface TrainingBase {
	readonly base: Base;
	readonly start: StartAdapter | undefined;
}

/**
 * Opens what a config trains on and from, and checks that base, adapter and method belong together: all that can be wrong with
 * them is found before the data is read.
 *
 * Throws what `openBase`, `readStartAdapter`, `checkBase` and `checkMethod` throw.
 *
 * @param note told what to be wary of
 */
export function openTrainingBase(
	config: Config,
	allowOtherBase: boolean,
	note: (line: string) => void,
): TrainingBase {
	const base = openBase(config);
	try {
		checkTrainable(config.model, base.folder.config, config.method.type);
		if (config.method.type !== 'full') checkBaseType(base.folder, config.method.base);
		const start = readStartAdapter(config);
		const caution = start && checkBase(start.base, base, allowOtherBase);
		if (caution !== undefined) note(caution);
		checkMethod(config, base.folder.config, start);
		return { base, start };
	} catch (error) {
		base.close();
		throw error;
	}
}

/** undefined where a config starts from nothing. Throws what `readPeftAdapter` throws. */
function readStartAdapter({ method: { from } }: Config): StartAdapter | undefined {
	if (from === null) return undefined;
	const folder = adapterFolder(from);
	const adapter = readPeftAdapter(folder);
	const description = readDescription(folder);
	const model = description?.model ?? adapter.baseModel;
	return {
		adapter,
		hash: hashMatrices(adapter),
		base: { adapter: folder, model, fingerprint: description?.baseFingerprint },
		stack: description?.stack,
	};
}

function hashMatrices({ matrices, head }: PeftAdapter): string {
	const hash = createHash('sha256');
	for (const [name, { shape, values }] of [...matrices, ...head].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
		hash.update(JSON.stringify([name, shape]));
		hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
	}
	return hash.digest('hex');
}

/**
 * Looks whether a method can be put on a model, and whether it is that of the adapter it starts from, before anything is
 * loaded or tokenised.
 *
 * Throws METHOD_UNAVAILABLE, NO_LORA_TARGET, PREFIX_UNAVAILABLE, BIDIRECTIONAL_UNAVAILABLE, ADAPTER_MISMATCH.
 */
function checkMethod(config: Config, model: ModelConfig, start: StartAdapter | undefined): void {
	const method = methodOf(config);
	if (method.type === 'prefix') {
		checkPrefix(model, namedWeights(model).blocks);
		checkPositions(positionsOf(config), model);
	}
	checkBidirectional(model, config.method.bidirectionalLayers);
	if (method.type !== 'lora' && method.type !== 'qlora') return;
	const layers = expectedTensors(model)
		.filter(({ kind }) => kind === 'linear')
		.map(({ name, shape }) => ({ name: name.replace(/\.weight$/, ''), weight: { shape } }));
	const specs = new Map(loraSpecs(layers, method.lora).map(({ name, shape }) => [name, shape.join(', ')]));
	if (start === undefined) return;
	const { config: own, matrices } = start.adapter;
	if (loraScale(own) !== loraScale(method.lora)) {
		throw mismatch(
			start,
			`counts ${loraScale(own)} times (alpha ${own.alpha}, rank ${own.rank}, rsLora ${own.rsLora}), not ${loraScale(method.lora)} times (alpha ${method.lora.alpha}, rank ${method.lora.rank}, rsLora ${method.lora.rsLora})`,
		);
	}
	const [adapted, chosen] = [modulesOf(matrices.keys()), modulesOf(specs.keys())];
	if (adapted.join() !== chosen.join()) {
		const { targets, layersToTransform: layers } = config.method;
		const inLayers = layers === null ? '' : ` in blocks ${layers.join(', ')}`;
		throw mismatch(
			start,
			`adapts ${describeModules(adapted)}, method.targets ${JSON.stringify(targets)}${inLayers} ${describeModules(chosen)}`,
		);
	}
	for (const [name, { shape }] of matrices) {
		const found = shape.join(', ');
		if (specs.get(name) === found) continue;
		throw mismatch(start, `has ${name} [${found}] where the method has [${specs.get(name)}]`);
	}
}

/** The modules that matrices of adapters belong to, sorted. */
function modulesOf(matrices: Iterable<string>): string[] {
	return adaptedModules(matrices).sort();
}

/** `4 modules (o_proj, q_proj)` */
function describeModules(modules: readonly string[]): string {
	const ends = new Set(modules.map((name) => name.slice(name.lastIndexOf('.') + 1)));
	return `${modules.length} modules (${[...ends].sort().join(', ')})`;
}

function mismatch({ base }: StartAdapter, message: string): Error {
	return inputError('ADAPTER_MISMATCH', `the adapter in ${base.adapter} ${message}`, {
		place: 'method.from',
		remedy:
			'Leave out method.rank, alpha, rsLora, targets and layersToTransform, which the adapter brings, and take its base model.',
	});
}
