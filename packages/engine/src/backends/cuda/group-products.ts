import { type CudaDevice, kernelOf } from './device.ts';
import type { HalfOperand } from './operands.ts';
import type { Direction, ProductSize, ProductTarget } from './product-target.ts';

/** As in groupProduct.cuh. */
const [tileRows, depthStep, stages, threads] = [128, 64, 4, 384];
const widths = [
	{ name: 'Wide', columns: 256, effort: 1 },
	// reads the left operand twice as often
	{ name: 'Narrow', columns: 128, effort: 1.1 },
] as const;

/** CUtensorMap: 128 bytes, aligned to 64. */
const mapBytes = 128;
/** CUtensorMapDataType, CUtensorMapSwizzle and CUtensorMapL2promotion */
const [bfloat16, swizzle128, promote256] = [9, 3, 3];
/** Maps that are kept: the pool gives the same addresses again and again. */
const [mostAddresses, mostMapsOfAddress] = [2048, 16];

/** A map that was encoded: its words, as a launch takes them, for one way of reading a matrix. */
interface KnownMap {
	readonly stride: number;
	readonly rows: number;
	readonly length: number;
	readonly boxRows: number;
	readonly words: readonly number[];
}

/** Columns of a product below which tiles of this size would be mostly empty. Rows must not matter: all get the same sums. */
const fewestColumns = 65;

export function takesGroups(device: CudaDevice, { columns }: ProductSize): boolean {
	return device.hasWarpGroups && columns >= fewestColumns;
}

/** Products on Hopper's tensor cores. */
export function groupProducts(device: CudaDevice) {
	/** By the address of their matrix. */
	const maps = new Map<number, KnownMap[]>();

	function mapOf(operand: HalfOperand, rows: number, length: number, boxRows: number): readonly number[] {
		const { address, stride } = operand;
		const atAddress = maps.get(address);
		const known = atAddress?.find(
			(map) => map.stride === stride && map.rows === rows && map.length === length && map.boxRows === boxRows,
		);
		if (known !== undefined) return known.words;
		const made = {
			stride,
			rows,
			length,
			boxRows,
			words: tensorMapOf(device, operand, rows, length, boxRows),
		};
		if (atAddress !== undefined && atAddress.length < mostMapsOfAddress) {
			atAddress.push(made);
			return made.words;
		}
		if (maps.size === mostAddresses) maps.clear();
		maps.set(address, [made]);
		return made.words;
	}

	/** Boxes are 64 elements (128 bytes) wide; where an operand lies by depth a tile takes several. */
	function operandMap(operand: HalfOperand, byDepth: boolean, rows: number, depth: number, tile: number) {
		return byDepth ? mapOf(operand, depth, rows, depthStep) : mapOf(operand, rows, depth, tile);
	}

	return function groupProduct(
		direction: Direction,
		target: ProductTarget,
		left: HalfOperand,
		right: HalfOperand,
		{ rows, columns, depth }: ProductSize,
	): void {
		const { multiprocessors } = device.card;
		const tilesOf = (width: number) => Math.ceil(rows / tileRows) * Math.ceil(columns / width);
		const effortOf = (width: (typeof widths)[number]) =>
			Math.ceil(tilesOf(width.columns) / multiprocessors) * width.columns * width.effort;
		const [wide, narrow] = widths;
		const width = effortOf(wide) <= effortOf(narrow) ? wide : narrow;
		device.launch(
			kernelOf(`groupProduct${direction}${width.name}`, target.type),
			[Math.min(multiprocessors, tilesOf(width.columns))],
			threads,
			[
				...operandMap(left, direction === 'TN', rows, depth, tileRows),
				...operandMap(right, direction !== 'NT', columns, depth, width.columns),
				...[target.address, Number(target.accumulate), target.scale, rows, columns, depth],
			],
			// and what it takes to begin at a multiple of 1,024
			2 * stages * depthStep * (tileRows + width.columns) + 1024,
		);
	};
}

/** The words of a tensor map over a matrix of `rows` rows by `length` elements, read in boxes of 64 elements by `boxRows`. */
export function tensorMapOf(
	device: CudaDevice,
	operand: HalfOperand,
	rows: number,
	length: number,
	boxRows: number,
): readonly number[] {
	const { driver } = device;
	const memory = Buffer.alloc(2 * mapBytes);
	const start = Number((64n - (BigInt(driver.addressOf(memory)) % 64n)) % 64n);
	const map = memory.subarray(start, start + mapBytes);
	driver.cuTensorMapEncodeTiled(
		map,
		bfloat16,
		2,
		operand.address,
		BigUint64Array.of(BigInt(length), BigInt(rows)),
		BigUint64Array.of(BigInt(2 * operand.stride)),
		Uint32Array.of(depthStep, boxRows),
		Uint32Array.of(1, 1),
		...([0, swizzle128, promote256, 0] as const),
	);
	return [...new Int32Array(Uint8Array.from(map).buffer)];
}
