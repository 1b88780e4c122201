import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { toFloat32 } from '../formats/floats.ts';
import type { PackedIntegerConfig } from '../formats/huggingface/quantization-config.ts';
import { openSafetensors, type SafetensorsFile } from '../formats/safetensors/reader.ts';
import { writeSafetensors } from '../formats/safetensors/writer.ts';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import { readFloat32, type WeightInfo, type WeightSource } from '../formats/weight-source.ts';
import { openModelFolder } from '../models/model-folder.ts';
import { unpackedIntegers } from './packed-integers.ts';

const golden = openSafetensors(
	fileURLToPath(new URL('../../../../tests/golden/packed-integers.safetensors', import.meta.url)),
);
const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-packed-'));
afterAll(() => {
	golden.close();
	rmSync(scratch, { recursive: true });
});

interface StoredTensor {
	readonly info: WeightInfo;
	readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The tensors of a case of the goldens as those of a layer. */
function tensorsOf(file: SafetensorsFile, name: string, layer = 'layer'): Map<string, StoredTensor> {
	const own = [...file.tensors].filter(
		([full]) => full.startsWith(`${name}.`) && !full.endsWith('.expected'),
	);
	return new Map(
		own.map(([full, info]) => [full.replace(name, layer), { info, bytes: file.read(full) }] as const),
	);
}

function sourceOf(tensors: ReadonlyMap<string, StoredTensor>): WeightSource {
	return {
		place: 'model',
		names: [...tensors.keys()],
		info: (name) => tensors.get(name)?.info,
		read: (name) => tensors.get(name)!.bytes.slice(),
		readPart: (name, from, length) => tensors.get(name)!.bytes.slice(from, from + length),
		close() {},
	};
}

const common = { bits: 4, groupSize: 32, isReordered: false } as const;
const gptq = { ...common, method: 'gptq', type: 'gptq4', zeroOffset: 1 } as const;
const awq = { ...common, method: 'awq', type: 'awq4', zeroOffset: 0 } as const;
const cases: [string, PackedIntegerConfig][] = [
	['gptq4', gptq],
	['gptq4-permuted', gptq],
	['gptq4-whole', { ...gptq, groupSize: undefined }],
	['gptq8', { ...gptq, bits: 8 }],
	['gptq2', { ...gptq, bits: 2 }],
	['awq4', awq],
];

// scripts/goldens/packed-integers.py: what AutoGPTQ and AutoAWQ read
test.each(cases)('%s has the values that its own library reads', (name, config) => {
	const source = unpackedIntegers(sourceOf(tensorsOf(golden, name)), config, new Set());
	expect(source.names).toEqual(['layer.weight']);
	expect(source.info('layer.weight')).toMatchObject({ dtype: 'F32', shape: [32, 64], byteLength: 8192 });
	const values = readFloat32(source, 'layer.weight'); // [N, K]
	expect(values).toEqual(toFloat32(golden.read(`${name}.expected`), 'F32'));
	expect(source.readPart('layer.weight', 100, 40)).toEqual(new Uint8Array(values.buffer).slice(100, 140));
	expect(source.info('layer.qweight')).toBeUndefined();
});

test('zeros of version 2 are stored as they are, and groups in order where no tensor says which', () => {
	const tensors = tensorsOf(golden, 'gptq4');
	const first = unpackedIntegers(sourceOf(tensors), gptq, new Set()).read('layer.weight');
	const { info, bytes } = tensors.get('layer.qzeros')!;
	// each code plus one, as version 2 has it
	const words = new Uint32Array(bytes.slice().buffer).map((word) => {
		let raised = 0;
		for (let bit = 0; bit < 32; bit += 4) raised |= ((((word >>> bit) & 15) + 1) & 15) << bit;
		return raised >>> 0;
	});
	tensors.set('layer.qzeros', { info, bytes: new Uint8Array(words.buffer) });
	tensors.delete('layer.g_idx');
	const second = unpackedIntegers(sourceOf(tensors), { ...gptq, zeroOffset: 0 }, new Set());
	expect(second.read('layer.weight')).toEqual(first);
});

test('a bias of zeros is left out where the model has none', () => {
	const bias = { info: { dtype: 'F16', shape: [2], byteLength: 4 } as const, bytes: new Uint8Array(4) };
	const tensors = tensorsOf(golden, 'gptq4').set('layer.bias', bias);
	const names = (...expected: string[]) => unpackedIntegers(sourceOf(tensors), gptq, new Set(expected)).names;
	expect(names()).toEqual(['layer.weight']);
	expect(names('layer.bias')).toEqual(['layer.bias', 'layer.weight']);
});

describe('a matrix that is damaged is refused', () => {
	let tensors: Map<string, StoredTensor>;
	beforeEach(() => {
		tensors = tensorsOf(golden, 'gptq4');
	});
	const refusal = (config = gptq as PackedIntegerConfig) =>
		thrownBy(() => unpackedIntegers(sourceOf(tensors), config, new Set()).read('layer.weight'));

	test.each(['qzeros', 'scales'])('without %s', (part) => {
		tensors.delete(`layer.${part}`);
		expect(refusal()).toMatchObject({ code: 'QUANTIZED_TENSOR_MISSING', place: `model: layer.${part}` });
	});

	test.each(['qweight', 'qzeros', 'scales', 'g_idx'])('with %s of another shape or type', (part) => {
		const { info, bytes } = tensors.get(`layer.${part}`)!;
		tensors.set(`layer.${part}`, { info: { ...info, shape: [...info.shape, 1] }, bytes });
		expect(refusal()).toMatchObject({ code: 'QUANTIZED_TENSOR_SIZE', place: `model: layer.${part}` });
		tensors.set(`layer.${part}`, { info: { ...info, dtype: 'I64' }, bytes });
		expect(refusal()).toMatchObject({ code: 'QUANTIZED_TENSOR_SIZE', place: `model: layer.${part}` });
	});

	test('without the order of its inputs, where that is another', () => {
		tensors.delete('layer.g_idx');
		expect(refusal({ ...gptq, isReordered: true })).toMatchObject({
			code: 'QUANTIZED_TENSOR_MISSING',
			place: 'model: layer.g_idx',
		});
		expect(() => refusal()).toThrow('nothing was thrown');
	});

	test('with groups of another size', () => {
		expect(refusal({ ...gptq, groupSize: 16 })).toMatchObject({ code: 'QUANTIZED_TENSOR_SIZE' });
	});

	test('with a zero that libraries read in different ways', () => {
		const zeros = tensors.get('layer.qzeros')!;
		tensors.set('layer.qzeros', { ...zeros, bytes: new Uint8Array(zeros.bytes.length).fill(0xf7) });
		expect(refusal()).toMatchObject({ code: 'QUANTIZED_TENSOR_VALUE', place: 'model: layer.qzeros' });
		expect(() => refusal({ ...gptq, zeroOffset: 0 })).toThrow('nothing was thrown');
	});

	test('with a group that there is not, or a scale that is no number', () => {
		const groups = tensors.get('layer.g_idx')!;
		const wrong = groups.bytes.slice();
		wrong[0] = 2;
		tensors.set('layer.g_idx', { ...groups, bytes: wrong });
		expect(refusal()).toMatchObject({ code: 'QUANTIZED_TENSOR_VALUE', place: 'model: layer.g_idx' });
		const scales = tensors.get('layer.scales')!;
		tensors.set('layer.scales', { ...scales, bytes: new Uint8Array(scales.bytes.length).fill(0xff) });
		tensors.delete('layer.g_idx');
		expect(refusal()).toMatchObject({ code: 'QUANTIZED_TENSOR_VALUE', place: 'model: layer.scales' });
	});
});

test('a model folder of such matrices opens as one of plain numbers, without biases that are zero', () => {
	const folder = path.join(scratch, 'model');
	mkdirSync(folder);
	const config = {
		model_type: 'llama',
		vocab_size: 5,
		hidden_size: 64,
		intermediate_size: 32,
		num_hidden_layers: 1,
		num_attention_heads: 4,
		tie_word_embeddings: true,
		quantization_config: {
			...{ quant_method: 'gptq', bits: 4, group_size: 32, desc_act: false, sym: true },
			modules_in_block_to_quantize: [['mlp.gate_proj', 'mlp.up_proj']],
		},
	};
	const layer = (name: string) => `model.layers.0.mlp.${name}`;
	const packed = ['gate_proj', 'up_proj'].flatMap((name) => [...tensorsOf(golden, 'gptq4', layer(name))]);
	const floats = (name: string, ...shape: number[]) => {
		const data = new Uint8Array(4 * shape.reduce((product, size) => product * size, 1));
		return { name, dtype: 'F32', shape, data } as const;
	};
	const attention = ['q', 'k', 'v', 'o'].map((part) =>
		floats(`model.layers.0.self_attn.${part}_proj.weight`, 64, 64),
	);
	const norms = ['layers.0.input_layernorm', 'layers.0.post_attention_layernorm', 'norm'].map((name) =>
		floats(`model.${name}.weight`, 64),
	);
	const others = [
		...[floats('model.embed_tokens.weight', 5, 64), ...attention, ...norms],
		...[floats(layer('down_proj.weight'), 64, 32), floats(layer('up_proj.bias'), 32)],
	];
	const write = (file: object, bias = 0) => {
		writeFileSync(path.join(folder, 'config.json'), JSON.stringify(file));
		const last = { ...others.at(-1)!, data: new Uint8Array(128).fill(bias) };
		const entries = packed.map(([name, { info, bytes }]) => ({
			name,
			dtype: info.dtype,
			shape: info.shape,
			data: bytes,
		}));
		writeSafetensors(path.join(folder, 'model.safetensors'), [...others.slice(0, -1), last, ...entries]);
	};
	write(config);
	const model = openModelFolder(folder);
	expect(model.config.quantization).toBeUndefined();
	expect(readFloat32(model.weights, layer('up_proj.weight'))).toEqual(
		toFloat32(golden.read('gptq4.expected'), 'F32'),
	);
	expect(model.stored!.names).toContain(layer('up_proj.qweight'));
	model.close();
	for (const named of [undefined, [['mlp.gate_proj', 'self_attn.q_proj'], ['mlp.up_proj']]]) {
		const settings = { ...config.quantization_config, modules_in_block_to_quantize: named };
		write({ ...config, quantization_config: settings });
		expect(thrownBy(() => openModelFolder(folder))).toMatchObject({
			code: 'MODEL_WEIGHTS',
			summary: expect.stringContaining(
				'says gptq4, but model.layers.0.self_attn.q_proj.weight is not quantised',
			),
		});
	}
	write(config, 1);
	expect(thrownBy(() => openModelFolder(folder)).message).toContain('up_proj.bias');
	others.unshift(floats(layer('up_proj.weight'), 32, 64));
	write(config);
	expect(thrownBy(() => openModelFolder(folder)).message).toContain('up_proj.weight is there twice');
	others.shift();
	for (const [key, value] of [
		['bits', 3],
		['quant_method', 'hqq'],
		['checkpoint_format', 'marlin'],
		['is_marlin_format', true],
		['lm_head', true],
		['dynamic', { '-:mlp': {} }],
		['something_new', true],
	] as const) {
		write({ ...config, quantization_config: { ...config.quantization_config, [key]: value } });
		const place = expect.stringContaining(`quantization_config: ${key}`);
		expect(
			thrownBy(() => openModelFolder(folder)),
			key,
		).toMatchObject({ code: 'MODEL_CONFIG', place });
	}
	for (const [key, value] of [
		['version', 'gemv'],
		['bits', 8],
		['zero_point', false],
	] as const) {
		const quantization = {
			quant_method: 'awq',
			bits: 4,
			group_size: 32,
			version: 'GEMM',
			zero_point: true,
			[key]: value,
		};
		write({ ...config, quantization_config: quantization });
		const place = expect.stringContaining(`quantization_config: ${key}`);
		expect(
			thrownBy(() => openModelFolder(folder)),
			key,
		).toMatchObject({ code: 'MODEL_CONFIG', place });
	}
});
