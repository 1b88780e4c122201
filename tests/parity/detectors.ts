import path from 'node:path';
import {
	type Backend,
	type LoadOptions,
	type LoraConfig,
	openModelFolder,
	type Precision,
	readPeftAdapter,
} from '@vulntune/engine';
import { classObjective, createDetector, type Detector, type Pack, type PassOptions } from 'vulntune';
import { type FixtureBatch, flatten } from './packs.ts';

/** A fixture batch with labels as one pack of the project, rows one after the other. */
export interface LabelledBatch extends FixtureBatch {
	readonly pool: readonly (readonly [number, number])[];
	readonly labels: readonly number[];
}

export function packOf(batch: LabelledBatch): Pack {
	const flat = flatten(batch);
	const functions = batch.labels.length;
	return {
		inputIds: flat.ids,
		positionIds: flat.positions,
		pieceStarts: flat.functionStarts,
		prefixRanges: Int32Array.from({ length: 2 * functions }, (_, i) => flat.functionStarts[i >> 1]!),
		segmentStarts: flat.functionStarts,
		segmentParents: new Int32Array(functions).fill(-1),
		leadingLength: 0,
		poolPositions: Int32Array.from(batch.pool, ([row, column]) => flat.indexOf(row, column)),
		functionIndex: Int32Array.from({ length: functions }, (_, f) => f),
		windowIndex: new Int32Array(functions),
		windowCount: new Int32Array(functions).fill(1),
	};
}

/** The class objective with focal loss, as the fixtures compute it. */
export function focalPass(
	gamma: number,
	gradient: 'full' | 'detached',
	precision: Precision = 'fp32',
): PassOptions {
	return { objective: classObjective, precision, focal: { gamma, gradient }, checkpointing: false };
}

/** The base of an adapter fixture with the adapter on it, and with its head unless it is to predict tokens. */
export function adaptedDetector(
	backend: Backend,
	baseFolder: string,
	adapterFolder: string,
	base: Pick<LoadOptions, 'base' | 'doubleQuantization'> = { base: 'fp32', doubleQuantization: false },
	{ predictsTokens = false } = {},
): { detector: Detector; lora: LoraConfig; close: () => void } {
	const adapter = readPeftAdapter(adapterFolder);
	const folder = openModelFolder(path.resolve(baseFolder));
	const detector = createDetector(backend, folder, {
		...base,
		method: { type: 'lora', lora: adapter.config },
		head: predictsTokens ? undefined : { pool: 'last', hidden: null },
		maxPositions: folder.config.maxPositions,
		seed: 1,
		start: predictsTokens ? { ...adapter, head: new Map() } : adapter,
	});
	const close = () => {
		detector.free();
		folder.close();
		backend.close();
	};
	return { detector, lora: adapter.config, close };
}
