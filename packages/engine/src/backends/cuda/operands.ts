import { type Dropout, isQuantized, type Weight } from '../contract.ts';
import type { CudaDevice, TakeScratch } from './device.ts';
import { maskWords } from './elementwise.ts';
import { type WeightArguments, weightArguments } from './weights.ts';

/** As in operands.cuh: rows that a thread goes down. */
const maximaRows = 64;
/** Chunks of eight elements that a thread makes at most, and threads that a multiprocessor has before one makes more than one. */
const [mostChunks, fewestThreads] = [8, 1024];

/** Part of a matrix: rows from element `first` of the flat matrix on. */
export interface MatrixPart {
	readonly rows: number;
	readonly columns: number;
	readonly first?: number;
	readonly dropout?: Dropout | undefined;
}

/** The side of a matrix that a product doesn't sum over. */
type Lines = 'rows' | 'columns';

/** A matrix in 16 bits whose rows are padded to `stride`, a multiple of 8. */
export interface HalfOperand {
	readonly address: number;
	readonly stride: number;
	/** Of an operand in float16: the largest magnitude of each line, which says what that is divided by (lineScale.cuh). */
	readonly largest?: number;
}

/** A matrix as products on tensor cores take it. In float16 that depends on what is summed over, so it is made when a product asks. */
export type Operand = (lines: Lines) => HalfOperand;

/** The matrix as this card's tensor cores take it; where it lies as the kernels want it already, nothing is copied. */
export function tensorOperand(
	device: CudaDevice,
	take: TakeScratch,
	matrix: Weight,
	part: MatrixPart,
): Operand {
	const { columns, first = 0, dropout } = part;
	if (device.tensorType === 'bf16' && !isQuantized(matrix) && matrix.dtype === 'bf16' && !dropout) {
		const address = device.address(matrix) + 2 * first;
		if (columns % 8 === 0 && address % 16 === 0) return () => ({ address, stride: columns });
	}
	return tensorOperandOf(device, take, weightArguments(device, matrix), part);
}

/** The same of a matrix that the kernels are told by its addresses. */
export function tensorOperandOf(
	device: CudaDevice,
	take: TakeScratch,
	matrix: WeightArguments,
	part: MatrixPart,
): Operand {
	if (device.tensorType === 'bf16') {
		const operand = bfloat16Operand(device, take, matrix, part);
		return () => operand;
	}
	const made = new Map<Lines, HalfOperand>();
	return (lines) => {
		const operand = made.get(lines) ?? float16Operand(device, take, matrix, part, lines);
		made.set(lines, operand);
		return operand;
	};
}

/** Threads that make so many chunks of eight elements. */
function threadsOver(device: CudaDevice, chunks: number): number {
	const ofThread = Math.floor(chunks / (fewestThreads * device.card.multiprocessors));
	return Math.ceil(chunks / Math.min(mostChunks, Math.max(1, ofThread)));
}

const strideOf = ({ columns }: MatrixPart) => Math.ceil(columns / 8) * 8;

/** What the kernels take of a matrix last. */
function sourceArguments(matrix: WeightArguments, part: MatrixPart): readonly number[] {
	const { rows, columns, first = 0, dropout } = part;
	return [...matrix, first, rows, columns, ...maskWords(dropout)];
}

function bfloat16Operand(
	device: CudaDevice,
	take: TakeScratch,
	matrix: WeightArguments,
	part: MatrixPart,
): HalfOperand {
	const stride = strideOf(part);
	const address = take(part.rows * stride * 2);
	device.launchOver('matrixToBfloat16', threadsOver(device, (part.rows * stride) / 8), [
		...[address, stride],
		...sourceArguments(matrix, part),
	]);
	return { address, stride };
}

function float16Operand(
	device: CudaDevice,
	take: TakeScratch,
	matrix: WeightArguments,
	part: MatrixPart,
	lines: Lines,
): HalfOperand {
	const stride = strideOf(part);
	const source = sourceArguments(matrix, part);
	const largest = largestOf(device, take, source, part, lines);
	const address = take(part.rows * stride * 2);
	device.launchOver('matrixToFloat16', threadsOver(device, (part.rows * stride) / 8), [
		...[address, stride, largest, Number(lines === 'columns')],
		...source,
	]);
	return { address, stride, largest };
}

/** The largest magnitude of each row or column, in f32. */
function largestOf(
	device: CudaDevice,
	take: TakeScratch,
	source: readonly number[],
	{ rows, columns }: MatrixPart,
	lines: Lines,
): number {
	if (lines === 'rows') {
		const largest = take(4 * rows);
		device.launchOver('rowMaxima', 32 * rows, [largest, ...source]);
		return largest;
	}
	const largest = take(4 * columns);
	device.launchOver('fillFloat', Math.ceil(columns / 8), [largest, columns, 0]);
	const threads = 128;
	const grid = [Math.ceil(columns / 8 / threads), Math.ceil(rows / maximaRows)] as const;
	device.launch('columnMaxima', grid, threads, [largest, ...source]);
	return largest;
}

/** The address of a part of a matrix in float32, with dropout; copied where it isn't there already. */
export function floatOperand(
	device: CudaDevice,
	take: TakeScratch,
	matrix: Weight,
	{ rows, columns, first = 0, dropout }: MatrixPart,
): number {
	const count = rows * columns;
	const isFloat = !isQuantized(matrix) && matrix.dtype === 'f32';
	if (isFloat && dropout === undefined) return device.address(matrix) + 4 * first;
	const target = take(4 * count);
	if (!isFloat) {
		const weight = weightArguments(device, matrix);
		device.launchOver('weightToFloats', count, [target, ...weight, first, count, columns]);
	}
	if (dropout !== undefined) {
		const source = isFloat ? device.address(matrix) + 4 * first : target;
		device.launchOver('dropout', Math.ceil(count / 8), [target, source, count, ...maskWords(dropout)]);
	}
	return target;
}
