import { setImmediate } from 'node:timers/promises';
import {
	type Backend,
	dequantizeMatrix,
	type ErrorSums,
	elements,
	errorSums,
	type ModelFolder,
	type PlannedFiles,
	type QuantizedMatrix,
	type QuantizedType,
	quantizedMatrixEntries,
	quantizeMatrix,
	quantizeStored,
	type StoredMatrix,
	toFloat32,
	VulntuneError,
	type WeightSource,
} from '@vulntune/engine';
import { createErrorTable, type ErrorTable } from './error-table.ts';
import type { PlannedMatrix, QuantizePlan } from './quantize-plan.ts';
import { readAhead } from './read-ahead.ts';

export interface TensorsOptions {
	/** For errors. */
	readonly output: string;
	readonly type: QuantizedType;
	readonly doubleQuantization: boolean;
	readonly progress?: (done: number, total: number, matrix: string) => void;
	readonly signal?: AbortSignal;
}

/** Of a tensor that stays as it is, this many bytes are in memory at a time. */
const copiedBytes = 2 ** 26;

/**
 * Writes all that is planned: while a matrix is quantised, the next one is read and the one before written.
 * Returns how far restored values lie from the original ones.
 */
export async function quantizeTensors(
	{ weights }: ModelFolder,
	target: PlannedFiles,
	{ matrices, dense }: QuantizePlan,
	options: TensorsOptions,
	backend: Backend,
): Promise<ErrorTable> {
	for (const name of dense) await copyTensor(weights, target, name);
	const errors = createErrorTable();
	// one is filled while the other is written
	const rooms: Uint8Array<ArrayBuffer>[] = [new Uint8Array(0), new Uint8Array(0)];
	const roomOf = (index: number, bytes: number): Uint8Array<ArrayBuffer> => {
		if (rooms[index % 2]!.length < bytes) rooms[index % 2] = new Uint8Array(bytes);
		return rooms[index % 2]!.subarray(0, bytes);
	};
	let writing = Promise.resolve();
	let done = 0;
	try {
		for await (const { name, bytes } of readAhead(
			weights,
			matrices.map(({ name }) => name),
		)) {
			if (options.signal?.aborted === true) throw interrupted(options.output);
			const { dtype, shape } = weights.info(name)!;
			const room = (bytes: number) => roomOf(done, bytes);
			const { matrix, errors: sums } = quantize({ dtype, shape, bytes }, options, backend, room);
			errors.add(name, sums);
			await writing;
			writing = writeMatrix(target, matrices[done]!, matrix);
			// seen when it is waited for
			writing.catch(() => {});
			done += 1;
			options.progress?.(done, matrices.length, name);
			await setImmediate(); // progress and Ctrl-C get their turn
		}
		await writing;
	} finally {
		await writing.catch(() => {});
	}
	return errors;
}

function quantize(
	stored: StoredMatrix,
	{ type, doubleQuantization }: TensorsOptions,
	backend: Backend,
	room: (bytes: number) => Uint8Array<ArrayBuffer>,
): { readonly matrix: QuantizedMatrix; readonly errors: ErrorSums } {
	if (type === 'nf4' || type === 'fp4') {
		const packed = room(Math.ceil(elements(stored.shape) / 2));
		return quantizeStored(backend, stored, type, doubleQuantization, packed);
	}
	const values = toFloat32(stored.bytes, stored.dtype); // [N, K]
	const [rows, columns] = stored.shape;
	const matrix = quantizeMatrix(values, [rows!, columns!], type);
	return { matrix, errors: errorSums(values, dequantizeMatrix(matrix)) };
}

async function writeMatrix(
	target: PlannedFiles,
	{ name, parts }: PlannedMatrix,
	matrix: QuantizedMatrix,
): Promise<void> {
	const entries = quantizedMatrixEntries(name, matrix);
	for (const [index, { name: part, bytes }] of parts.entries()) {
		const data = entries[index]!.data as Uint8Array;
		// the length of a quant state depends on a number in it, which was not known yet: spaces at its end say nothing
		const padded = data.length < bytes ? Buffer.concat([data, Buffer.alloc(bytes - data.length, ' ')]) : data;
		await target.write(part, padded);
	}
}

async function copyTensor(weights: WeightSource, target: PlannedFiles, name: string): Promise<void> {
	const { byteLength } = weights.info(name)!;
	for (let from = 0; from < byteLength; from += copiedBytes) {
		const bytes = weights.readPart(name, from, Math.min(copiedBytes, byteLength - from));
		await target.write(name, bytes, from);
	}
}

function interrupted(output: string): VulntuneError {
	return new VulntuneError({
		code: 'INTERRUPTED',
		kind: 'interrupted',
		message: 'stopped before the model was whole; nothing was written',
		place: output,
		remedy: 'Run the same command again.',
	});
}
