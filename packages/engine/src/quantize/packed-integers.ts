import { toFloat32 } from '../formats/floats.ts';
import type { PackedIntegerConfig } from '../formats/huggingface/quantization-config.ts';
import type { WeightInfo, WeightSource } from '../formats/weight-source.ts';
import { storedError } from './stored-tensors.ts';

/** Where AutoAWQ's `gemm` puts eight neighbouring outputs in a word: the first in bits 0 to 3, the third in 4 to 7, … */
const awqOrder = [0, 2, 4, 6, 1, 3, 5, 7];

const parts = ['qweight', 'qzeros', 'scales', 'g_idx'] as const;
type Part = (typeof parts)[number];

/**
 * A checkpoint of GPTQ or AWQ as one of plain matrices: each `<layer>.qweight` with what lies beside it is `<layer>.weight`, the float32
 * values (code - zero) · scale, which are exact. One is made when it is asked for.
 *
 * GPTQ (AutoGPTQ, GPTQModel), K inputs, N outputs, 32 / bits codes to a word:
 *
 * | tensor | type | holds |
 * | --- | --- | --- |
 * | `qweight` | I32 [K · bits / 32, N] | codes, neighbouring inputs in a word, the first in the lowest bits |
 * | `qzeros` | I32 [groups, N · bits / 32] | zeros, neighbouring outputs in a word; less one but in version 2 |
 * | `scales` | F16 [groups, N] | |
 * | `g_idx` | I32 [K] | the group of each input; in order where it is missing |
 *
 * AWQ (AutoAWQ's gemm): `qweight` I32 [K, N / 8] and `qzeros` I32 [groups, N / 8] have neighbouring outputs in a word, in the order of
 * `awqOrder`; `scales` F16 [groups, N].
 *
 * @param expected names of the tensors that the model has: of others, biases that are all zero are left out, as GPTQ writes them
 * @throws VulntuneError on reading: `QUANTIZED_TENSOR_MISSING`, `QUANTIZED_TENSOR_SIZE`, `QUANTIZED_TENSOR_VALUE`
 */
export function unpackedIntegers(
	source: WeightSource,
	config: PackedIntegerConfig,
	expected: ReadonlySet<string>,
): WeightSource {
	const layers = new Set(
		source.names.filter((name) => name.endsWith('.qweight')).map((name) => name.slice(0, -8)),
	);
	const weightOf = (name: string) => {
		const layer = name.endsWith('.weight') ? name.slice(0, -7) : undefined;
		return layer !== undefined && layers.has(layer) ? layer : undefined;
	};
	const isPart = (name: string) => {
		const at = name.lastIndexOf('.');
		return layers.has(name.slice(0, at)) && (parts as readonly string[]).includes(name.slice(at + 1));
	};
	const isIdleBias = (name: string) =>
		name.endsWith('.bias') &&
		layers.has(name.slice(0, -5)) &&
		!expected.has(name) &&
		source.read(name).every((byte) => byte === 0);
	const plain = source.names.filter((name) => !isPart(name) && !isIdleBias(name));
	const bytesOf = (layer: string) => new Uint8Array(dequantize(source, layer, config).buffer);
	return {
		...source,
		readInto: undefined,
		names: [...plain, ...[...layers].map((layer) => `${layer}.weight`)],
		info(name) {
			const layer = weightOf(name);
			if (layer === undefined) return plain.includes(name) ? source.info(name) : undefined;
			const { inputs, outputs } = sizesOf(source, layer, config);
			const stored = { type: config.type, byteLength: infoOf(source, layer, 'qweight').byteLength };
			return { dtype: 'F32', shape: [outputs, inputs], byteLength: 4 * inputs * outputs, stored };
		},
		read(name) {
			const layer = weightOf(name);
			return layer === undefined ? source.read(name) : bytesOf(layer);
		},
		readPart(name, byteOffset, byteLength) {
			const layer = weightOf(name);
			if (layer === undefined) return source.readPart(name, byteOffset, byteLength);
			return bytesOf(layer).slice(byteOffset, byteOffset + byteLength);
		},
	};
}

interface Sizes {
	readonly inputs: number;
	readonly outputs: number;
	readonly groups: number;
	/** Inputs of a group. */
	readonly groupSize: number;
}

/** The sizes of a matrix by its codes' shape alone: what is claimed beside it is compared with this. */
function sizesOf(
	source: WeightSource,
	layer: string,
	{ method, bits, groupSize }: PackedIntegerConfig,
): Sizes {
	const { shape } = infoOf(source, layer, 'qweight');
	const [rows = 0, columns = 0] = shape;
	if (shape.length !== 2) throw wrongShape(source, layer, 'qweight', [rows, columns]);
	const perWord = 32 / bits;
	const [inputs, outputs] = method === 'gptq' ? [rows * perWord, columns] : [rows, columns * perWord];
	const size = groupSize ?? inputs;
	return { inputs, outputs, groups: Math.ceil(inputs / size), groupSize: size };
}

/** W [N, K], row-major. */
function dequantize(
	source: WeightSource,
	layer: string,
	config: PackedIntegerConfig,
): Float32Array<ArrayBuffer> {
	const sizes = sizesOf(source, layer, config);
	const { inputs, outputs, groups } = sizes;
	const { method, bits, zeroOffset } = config;
	const perWord = 32 / bits;
	const mask = 2 ** bits - 1;
	const codes = readWords(source, layer, 'qweight', infoOf(source, layer, 'qweight').shape);
	const zeroCodes = readWords(source, layer, 'qzeros', [groups, outputs / perWord]); // [groups, N / perWord]
	const scales = readScales(source, layer, [groups, outputs]); // [groups, N]
	const groupOf = readGroups(source, layer, sizes, config.isReordered); // [K]
	const order = method === 'awq' ? awqOrder : Array.from({ length: perWord }, (_, index) => index);
	const zeros = new Float32Array(groups * outputs); // [groups, N]
	for (let word = 0; word < zeroCodes.length; word++) {
		for (let place = 0; place < perWord; place++) {
			const stored = (zeroCodes[word]! >>> (bits * place)) & mask;
			if (stored + zeroOffset > mask) throw ambiguousZero(source, layer, mask);
			zeros[word * perWord + order[place]!] = stored + zeroOffset;
		}
	}
	const values = new Float32Array(outputs * inputs); // [N, K]
	const put = (input: number, output: number, code: number) => {
		const at = groupOf[input]! * outputs + output;
		values[output * inputs + input] = (code - zeros[at]!) * scales[at]!;
	};
	const columns = method === 'gptq' ? outputs : outputs / perWord;
	for (let word = 0; word < codes.length; word++) {
		const [row, column] = [Math.floor(word / columns), word % columns];
		for (let place = 0; place < perWord; place++) {
			const code = (codes[word]! >>> (bits * place)) & mask;
			if (method === 'gptq') put(row * perWord + place, column, code);
			else put(row, column * perWord + order[place]!, code);
		}
	}
	return values;
}

/** 2^bits for AutoGPTQ's later kernels, 0 for its earlier ones, and a carry into the next zero for GPTQModel. */
function ambiguousZero(source: WeightSource, layer: string, code: number): Error {
	const message = `a zero is stored as ${code}, which libraries read in different ways`;
	return storedError(source, `${layer}.qzeros`, 'QUANTIZED_TENSOR_VALUE', message);
}

function infoOf(source: WeightSource, layer: string, part: Part): WeightInfo {
	const info = source.info(`${layer}.${part}`);
	if (info !== undefined) return info;
	throw storedError(
		source,
		`${layer}.${part}`,
		'QUANTIZED_TENSOR_MISSING',
		'the quantised matrix lacks this tensor',
	);
}

function wrongShape(source: WeightSource, layer: string, part: Part, shape: readonly number[]): Error {
	const { dtype, shape: found } = infoOf(source, layer, part);
	const message = `numbers of shape [${shape.join(', ')}] are expected, found ${dtype} [${found.join(', ')}]`;
	return storedError(source, `${layer}.${part}`, 'QUANTIZED_TENSOR_SIZE', message);
}

function readWords(source: WeightSource, layer: string, part: Part, shape: readonly number[]): Int32Array {
	const { dtype, shape: found } = infoOf(source, layer, part);
	if (dtype !== 'I32' || found.join() !== shape.join()) throw wrongShape(source, layer, part, shape);
	const bytes = source.read(`${layer}.${part}`);
	return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function readScales(source: WeightSource, layer: string, shape: readonly number[]): Float32Array {
	const { dtype, shape: found } = infoOf(source, layer, 'scales');
	const isFloat = dtype === 'F16' || dtype === 'BF16' || dtype === 'F32';
	if (!isFloat || found.join() !== shape.join()) throw wrongShape(source, layer, 'scales', shape);
	const scales = toFloat32(source.read(`${layer}.scales`), dtype);
	const wrong = scales.find((scale) => !Number.isFinite(scale));
	if (wrong === undefined) return scales;
	throw storedError(
		source,
		`${layer}.scales`,
		'QUANTIZED_TENSOR_VALUE',
		`a finite number is expected, found ${wrong}`,
	);
}

function readGroups(
	source: WeightSource,
	layer: string,
	{ inputs, groups, groupSize }: Sizes,
	isReordered: boolean,
): Int32Array {
	if (source.info(`${layer}.g_idx`) === undefined && !isReordered) {
		return Int32Array.from({ length: inputs }, (_, input) => Math.floor(input / groupSize));
	}
	infoOf(source, layer, 'g_idx');
	const groupOf = readWords(source, layer, 'g_idx', [inputs]);
	const wrong = groupOf.find((group) => group < 0 || group >= groups);
	if (wrong === undefined) return groupOf;
	throw storedError(
		source,
		`${layer}.g_idx`,
		'QUANTIZED_TENSOR_VALUE',
		`a group from 0 to ${groups - 1} is expected, found ${wrong}`,
	);
}
