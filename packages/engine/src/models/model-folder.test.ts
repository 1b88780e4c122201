import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { needsShared } from '../../../../tests/shared.ts';
import { storedLayout } from '../formats/huggingface/stored-layouts.ts';
import { openSafetensors } from '../formats/safetensors/reader.ts';
import { smallConfig, smallTensors, writeSmallModel } from '../formats/testing/small-model.ts';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import { readFloat32 } from '../formats/weight-source.ts';
import type { QuantizedMatrix4 } from '../quantize/four-bit.ts';
import { quantizeMatrix } from '../quantize/matrix.ts';
import { quantizedMatrixEntries, readQuantizedMatrix } from '../quantize/stored-matrix.ts';
import { expectedTensors } from './families.ts';
import { openModelFolder } from './model-folder.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-model-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let folders = 0;
const newFolder = () => path.join(scratch, String(folders++));

const indexName = 'model.safetensors.index.json';

function sharded(): string {
	return writeSmallModel(newFolder(), smallConfig, smallTensors(), 2000);
}

function rewriteIndex(folder: string, change: (weightMap: Record<string, unknown>) => void): void {
	const file = path.join(folder, indexName);
	const index = JSON.parse(readFileSync(file, 'utf8'));
	change(index.weight_map);
	writeFileSync(file, JSON.stringify(index));
}

describe('openModelFolder', () => {
	test('gives the same tensors from one file and from shards', () => {
		const single = openModelFolder(writeSmallModel(newFolder()));
		const folder = sharded();
		expect(readdirSync(folder).filter((name) => name.endsWith('.safetensors')).length).toBeGreaterThan(2);
		const several = openModelFolder(folder);
		expect(several.config).toEqual(single.config);
		expect(new Set(several.weights.names)).toEqual(new Set(single.weights.names));
		expect(several.weights.names).toHaveLength(smallTensors().length);
		smallTensors().forEach(({ name, shape }, index) => {
			for (const { weights } of [single, several]) {
				expect(weights.info(name)).toMatchObject({ dtype: 'F32', shape });
				const values = readFloat32(weights, name);
				expect(values.every((value) => value === index)).toBe(true);
				expect(values).toHaveLength(shape.reduce((product, size) => product * size, 1));
			}
		});
		for (const model of [single, several]) {
			expect(model.weights.info('absent')).toBeUndefined();
			expect(thrownBy(() => model.weights.read('absent')).code).toBe('SAFETENSORS_NAME');
			model.close();
			expect(thrownBy(() => model.weights.read('lm_head.weight')).code).toBe('SAFETENSORS_CLOSED');
		}
	});

	test('a missing folder, a file, an empty folder, an adapter', () => {
		expect(thrownBy(() => openModelFolder(path.join(scratch, 'absent'))).code).toBe('MODEL_NOT_FOUND');
		const file = path.join(scratch, 'file');
		writeFileSync(file, '');
		expect(thrownBy(() => openModelFolder(file)).code).toBe('MODEL_NOT_A_FOLDER');
		const empty = newFolder();
		mkdirSync(empty);
		expect(thrownBy(() => openModelFolder(empty))).toMatchObject({ code: 'MODEL_WEIGHTS', place: empty });
		writeFileSync(path.join(empty, 'adapter_config.json'), '{}');
		expect(thrownBy(() => openModelFolder(empty)).remedy).toMatch(/adapter/);
	});

	test.each(['pytorch_model.bin', 'consolidated.00.pth', 'model.pt', 'weights.pkl'])(
		'%s alone is refused with what to do instead',
		(name) => {
			const folder = newFolder();
			mkdirSync(folder);
			writeFileSync(path.join(folder, 'config.json'), JSON.stringify(smallConfig));
			writeFileSync(path.join(folder, name), 'never read');
			const error = thrownBy(() => openModelFolder(folder));
			expect(error.code).toBe('MODEL_PICKLE');
			expect(error.summary).toContain(name);
			expect(error.remedy).toMatch(/safetensors/);
		},
	);

	test('a missing or broken config.json', () => {
		const folder = writeSmallModel(newFolder());
		const file = path.join(folder, 'config.json');
		writeFileSync(file, '{"model_type": "llama",');
		expect(thrownBy(() => openModelFolder(folder))).toMatchObject({ code: 'MODEL_CONFIG', place: file });
		writeFileSync(file, JSON.stringify({ ...smallConfig, vocab_size: null }));
		expect(thrownBy(() => openModelFolder(folder)).place).toBe(`${file}: vocab_size`);
		rmSync(file);
		expect(thrownBy(() => openModelFolder(folder))).toMatchObject({
			code: 'MODEL_CONFIG_MISSING',
			place: folder,
		});
	});

	test('truncated weights, in one file and in a shard', () => {
		const folder = writeSmallModel(newFolder());
		const file = path.join(folder, 'model.safetensors');
		truncateSync(file, readFileSync(file).length - 1);
		expect(thrownBy(() => openModelFolder(folder))).toMatchObject({
			code: 'SAFETENSORS_TRUNCATED',
			place: file,
		});
		const other = sharded();
		const shard = path.join(other, readdirSync(other).find((name) => name.startsWith('model-00002'))!);
		truncateSync(shard, 20);
		expect(thrownBy(() => openModelFolder(other))).toMatchObject({
			code: 'SAFETENSORS_TRUNCATED',
			place: shard,
		});
	});

	test('a missing shard, a missing index', () => {
		const folder = sharded();
		const shard = readdirSync(folder).find((name) => name.startsWith('model-00002'))!;
		rmSync(path.join(folder, shard));
		const error = thrownBy(() => openModelFolder(folder));
		expect(error.code).toBe('MODEL_SHARD_MISSING');
		expect(error.summary).toContain(shard);
		rmSync(path.join(folder, indexName));
		const without = thrownBy(() => openModelFolder(folder));
		expect(without.code).toBe('MODEL_WEIGHTS');
		expect(without.summary).toContain(indexName);
	});

	test.each([
		['../../secret.safetensors'],
		['/etc/passwd'],
		['a\\b.safetensors'],
		['pytorch_model.bin'],
		[3],
		[null],
	])('an index that names %j is refused', (shard) => {
		const folder = sharded();
		rewriteIndex(folder, (weightMap) => {
			weightMap['lm_head.weight'] = shard;
		});
		const error = thrownBy(() => openModelFolder(folder));
		expect(error.code).toBe('MODEL_INDEX');
		expect(error.place).toContain('lm_head.weight');
	});

	test('an index whose tensors are not in their shards, is empty, or is not JSON', () => {
		const folder = sharded();
		rewriteIndex(folder, (weightMap) => {
			weightMap['lm_head.weight'] = weightMap['model.embed_tokens.weight'];
			weightMap.ghost = weightMap['model.embed_tokens.weight'];
		});
		const error = thrownBy(() => openModelFolder(folder));
		expect(error.code).toBe('MODEL_INDEX');
		expect(error.summary).toMatch(/"ghost" in model-00001/);
		for (const text of ['{"weight_map": {}}', '{"weight_map": []}', '{}', '[]', 'x', '{"a":1,"a":1}']) {
			writeFileSync(path.join(folder, indexName), text);
			expect(thrownBy(() => openModelFolder(folder)).code).toBe('MODEL_INDEX');
		}
	});
});

describe('a config that does not fit the weights', () => {
	test('is refused with the first five differences', () => {
		const folder = writeSmallModel(newFolder(), { ...smallConfig, num_hidden_layers: 2, vocab_size: 11 });
		const error = thrownBy(() => openModelFolder(folder));
		expect(error).toMatchObject({ code: 'MODEL_WEIGHTS', place: folder });
		expect(error.summary).toContain('model.embed_tokens.weight must be [11,16], found [10,16]');
		expect(error.summary).toContain('model.layers.1.input_layernorm.weight is missing');
		expect(error.summary).toMatch(/; and 6 more$/);
	});

	test('because the weights have a bias that the config does not', () => {
		const withBias = smallTensors({ ...smallConfig, attention_bias: true });
		const folder = writeSmallModel(newFolder(), smallConfig, withBias);
		expect(thrownBy(() => openModelFolder(folder)).summary).toMatch(
			/q_proj\.bias" is not part of such a model/,
		);
	});

	test('because a weight holds integers', () => {
		const tensors = smallTensors().map((tensor) =>
			tensor.name === 'model.norm.weight' ? { ...tensor, dtype: 'I32' as const } : tensor,
		);
		const folder = writeSmallModel(newFolder(), smallConfig, tensors);
		expect(thrownBy(() => openModelFolder(folder)).summary).toMatch(/model\.norm\.weight .* found I32/);
	});

	test('but not because of a head that is tied, or of buffers of old checkpoints', () => {
		const buffer = {
			name: 'model.layers.0.self_attn.rotary_emb.inv_freq',
			dtype: 'F32' as const,
			shape: [2],
			data: new Uint8Array(8),
		};
		const config = { ...smallConfig, tie_word_embeddings: true };
		openModelFolder(writeSmallModel(newFolder(), config, [...smallTensors(), buffer])).close();
	});
});

describe('the output matrix', () => {
	const tied = { ...smallConfig, tie_word_embeddings: true };
	const withoutHead = smallTensors().filter(({ name }) => name !== 'lm_head.weight');
	const headOf = (config: object, tensors: Parameters<typeof writeSmallModel>[2]) => {
		const model = openModelFolder(writeSmallModel(newFolder(), config, tensors));
		model.close();
		const isListed = expectedTensors(model.config).some(({ name }) => name === 'lm_head.weight');
		expect(isListed).toBe(model.config.languageHead === 'own');
		return model.config.languageHead;
	};

	test('is the one in the file, even where the config ties it, unless that is the embedding', () => {
		const { data } = smallTensors().find(({ name }) => name === 'model.embed_tokens.weight')!;
		const copied = smallTensors().map((tensor) =>
			tensor.name === 'lm_head.weight' ? { ...tensor, data } : tensor,
		);
		expect(headOf(tied, smallTensors())).toBe('own');
		expect(headOf(tied, copied)).toBe('tied');
		expect(headOf(tied, withoutHead)).toBe('tied');
		expect(headOf(smallConfig, copied)).toBe('own');
	});

	test('is absent from a classifier, whose own head is no part of the base', () => {
		const score = { name: 'score.weight', dtype: 'F32', shape: [2], data: new Uint8Array(8) } as const;
		expect(headOf(smallConfig, [...withoutHead, score])).toBe('absent');
	});
});

describe('a base that was saved by itself', () => {
	const saved = (prefix: string) =>
		smallTensors().map((tensor) => ({ ...tensor, name: tensor.name.replace(/^model\./, prefix) }));

	test.each(['', 'transformer.'])('under the prefix "%s" has the same tensors', (prefix) => {
		const whole = openModelFolder(writeSmallModel(newFolder()));
		const model = openModelFolder(writeSmallModel(newFolder(), smallConfig, saved(prefix)));
		expect(model.config).toEqual(whole.config);
		expect(new Set(model.weights.names)).toEqual(new Set(whole.weights.names));
		for (const name of whole.weights.names) {
			expect(model.weights.info(name)!.shape).toEqual(whole.weights.info(name)!.shape);
			expect(model.weights.read(name)).toEqual(whole.weights.read(name));
		}
		model.close();
		whole.close();
	});

	test('is refused where names with and without the prefix are mixed', () => {
		const tensors = [...saved(''), ...smallTensors().slice(0, 2)];
		const unique = [...new Map(tensors.map((tensor) => [tensor.name, tensor])).values()];
		const folder = writeSmallModel(newFolder(), smallConfig, unique);
		expect(thrownBy(() => openModelFolder(folder)).code).toBe('MODEL_WEIGHTS');
	});
});

describe("norms under the names of TensorFlow's checkpoints", () => {
	const bert = {
		model_type: 'bert',
		vocab_size: 10,
		hidden_size: 8,
		num_hidden_layers: 1,
		num_attention_heads: 2,
		intermediate_size: 12,
	};
	const tensors = (spell: (name: string) => string) =>
		smallTensors(bert).map((tensor) => ({ ...tensor, name: spell(tensor.name) }));
	const former = (name: string) =>
		name.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta');
	const bare = (name: string) => name.replace(/^bert\./, '');

	test.each([
		['as they are', (name: string) => name],
		['former names', former],
		['former names, saved by itself', (name: string) => bare(former(name))],
	])('are read: %s', (_, spell) => {
		const model = openModelFolder(writeSmallModel(newFolder(), bert, tensors(spell)));
		const expected = tensors((name) => name);
		for (const { name, data } of expected) expect(model.weights.read(name)).toEqual(data);
		expect(new Set(model.weights.names)).toEqual(new Set(expected.map(({ name }) => name)));
		model.close();
	});

	test('are refused where a norm has both names', () => {
		const both = [...tensors((name) => name), tensors(former)[3]!];
		const folder = writeSmallModel(newFolder(), bert, both);
		expect(thrownBy(() => openModelFolder(folder)).code).toBe('MODEL_WEIGHTS');
	});
});

describe('linear layers in a layout of ours', () => {
	const ownConfig = (type: string) => ({
		...smallConfig,
		quantization_config: { quant_method: 'vulntune', quant_type: type },
	});
	const isLinear = (name: string) => /_proj\.weight$/.test(name);
	const ownTensors = (type: 'int8' | 'quantile3', skip?: string) =>
		smallTensors()
			.flatMap((tensor) => {
				if (!isLinear(tensor.name)) return [tensor];
				const [rows, columns] = tensor.shape as [number, number];
				const values = new Float32Array((tensor.data as Uint8Array).buffer);
				return quantizedMatrixEntries(tensor.name, quantizeMatrix(values, [rows, columns], type));
			})
			.filter(({ name }) => skip === undefined || !name.endsWith(skip));

	test.each(['int8', 'quantile3'] as const)('%s is opened', (type) => {
		const model = openModelFolder(writeSmallModel(newFolder(), ownConfig(type), ownTensors(type)));
		expect(model.config.quantization).toEqual({ method: 'vulntune', type });
		model.close();
	});

	test.each([
		['int8', '.scales'],
		['quantile3', '.absmax'],
		['quantile3', '.quant_map'],
	] as const)('%s without %s is refused', (type, suffix) => {
		const folder = writeSmallModel(newFolder(), ownConfig(type), ownTensors(type, suffix));
		expect(thrownBy(() => openModelFolder(folder)).summary).toMatch(new RegExp(`\\${suffix} is missing`));
	});

	test('another shape, a foreign tensor beside it, and a config that says nothing of it are refused', () => {
		const wider = { ...ownConfig('int8'), intermediate_size: 25 };
		const misfit = writeSmallModel(newFolder(), wider, ownTensors('int8'));
		expect(thrownBy(() => openModelFolder(misfit)).summary).toContain('must be [25,16], found [24,16]');
		const plain = writeSmallModel(newFolder(), smallConfig, ownTensors('int8'));
		expect(thrownBy(() => openModelFolder(plain)).summary).toMatch(/floating-point numbers, found I8/);
		const stray = {
			name: 'model.norm.weight.bias',
			dtype: 'F32',
			shape: [0],
			data: new Uint8Array(),
		} as const;
		const strange = writeSmallModel(newFolder(), ownConfig('int8'), [...ownTensors('int8'), stray]);
		expect(thrownBy(() => openModelFolder(strange)).summary).toContain('is not part of such a model');
	});

	test('a type that there is not is refused', () => {
		const folder = writeSmallModel(newFolder(), ownConfig('quantile9'));
		expect(thrownBy(() => openModelFolder(folder)).place).toMatch(/quantization_config\.?.*quant_type/);
	});
});

describe('the quant state of a linear layer', () => {
	const upName = 'model.layers.0.mlp.up_proj.weight';
	const config = {
		...smallConfig,
		quantization_config: {
			quant_method: 'bitsandbytes',
			load_in_4bit: true,
			bnb_4bit_quant_type: 'nf4',
			bnb_4bit_use_double_quant: false,
		},
	};
	/** The small model in NF4, with the up matrix as one of another shape with as many elements. */
	const fourBitTensors = (upShape: readonly [number, number]) =>
		smallTensors().flatMap((tensor) => {
			if (!/_proj\.weight$/.test(tensor.name)) return [tensor];
			const shape = tensor.name === upName ? upShape : (tensor.shape as [number, number]);
			const values = new Float32Array(shape[0] * shape[1]).fill(0.5);
			return quantizedMatrixEntries(tensor.name, quantizeMatrix(values, shape, 'nf4'));
		});

	test.each(['I8', 'BF16', 'F16', 'F32'] as const)(
		'may stand beside codes that are stored as %s',
		(dtype) => {
			const bytes = { I8: 1, BF16: 2, F16: 2, F32: 4 }[dtype];
			const tensors = fourBitTensors([24, 16]).map((tensor) =>
				/_proj\.weight$/.test(tensor.name)
					? { ...tensor, dtype, shape: [(tensor.data as Uint8Array).length / bytes, 1] }
					: tensor,
			);
			const model = openModelFolder(writeSmallModel(newFolder(), config, tensors));
			expect(storedLayout(model.weights, upName)?.codesPerByte).toBe(2);
			const { packed, type } = readQuantizedMatrix(model.weights, upName) as QuantizedMatrix4;
			expect({ packed, type }).toEqual({
				packed: tensors.find(({ name }) => name === upName)!.data,
				type: 'nf4',
			});
			model.close();
		},
	);

	test('must have the shape that the config calls for', () => {
		openModelFolder(writeSmallModel(newFolder(), config, fourBitTensors([24, 16]))).close();
		const folder = writeSmallModel(newFolder(), config, fourBitTensors([16, 24]));
		const error = thrownBy(() => openModelFolder(folder));
		expect(error).toMatchObject({ code: 'MODEL_WEIGHTS', place: folder });
		expect(error.remedy).toMatch(/same model/);
		expect(error.summary).toContain(`${upName} must be [24,16], but ${upName}.quant_state.bitsandbytes__nf4`);
		expect(error.summary).toMatch(/says \[16,24\]$/);
	});

	test.each([
		['{"quant_type": "nf4"}', 'MODEL_WEIGHTS', /says/],
		['{"shape": 5}', 'MODEL_WEIGHTS', /says/],
		['{"shape": [24, 16]', 'QUANT_STATE', /./],
		[' '.repeat(70_000), 'MODEL_WEIGHTS', /too large with 70000 bytes/],
	])('must be a small object with a shape, not %.30s', (text, code, summary) => {
		const tensors = fourBitTensors([24, 16]).map((tensor) => {
			if (tensor.name !== `${upName}.quant_state.bitsandbytes__nf4`) return tensor;
			const data = new TextEncoder().encode(text);
			return { ...tensor, shape: [data.length], data };
		});
		const error = thrownBy(() => openModelFolder(writeSmallModel(newFolder(), config, tensors)));
		expect(error.code).toBe(code);
		expect(error.summary).toMatch(summary);
	});
});

const fixtures = needsShared('fixtures/models');

describe.skipIf(fixtures.skip)('fixtures/models', () => {
	const models = fixtures.skip
		? []
		: readdirSync(fixtures.path).filter((name) => /^(llama|mistral)/.test(name));

	test.each(models)('%s opens with every tensor that its config calls for', (name) => {
		const folder = path.join(fixtures.path, name);
		const model = openModelFolder(folder);
		for (const tensor of expectedTensors(model.config)) {
			const { dtype, byteLength } = model.weights.info(tensor.name)!;
			const elements = tensor.shape.reduce((product, size) => product * size, 1);
			const isFourBit = storedLayout(model.weights, tensor.name)?.codesPerByte === 2;
			expect(isFourBit).toBe(model.config.quantization !== undefined && tensor.kind === 'linear');
			expect(model.weights.read(tensor.name)).toHaveLength(byteLength);
			if (isFourBit) expect(byteLength).toBe(Math.ceil(elements / 2));
			else expect(byteLength).toBe(elements * (dtype === 'F32' ? 4 : 2));
		}
		model.close();
	});

	test.each(models)('%s without one of the tensors beside a 4-bit weight is refused', (name) => {
		const folder = path.join(fixtures.path, name);
		const single = path.join(folder, 'model.safetensors');
		if (!existsSync(single)) return;
		const source = openSafetensors(single);
		const removed = [...source.tensors.keys()].find((tensor) => tensor.endsWith('.quant_map'));
		const tensors = [...source.tensors].map(([tensor, { dtype, shape }]) => {
			return { name: tensor, dtype, shape, data: source.read(tensor) };
		});
		source.close();
		if (removed === undefined) return;
		const config = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
		const copy = writeSmallModel(
			newFolder(),
			config,
			tensors.filter((tensor) => tensor.name !== removed),
		);
		expect(thrownBy(() => openModelFolder(copy)).summary).toContain(`${removed} is missing`);
	});
});

const smollm = needsShared('models/smollm2-135m');

test.skipIf(smollm.skip)('a real config beside the weights of another model is refused', () => {
	const folder = writeSmallModel(newFolder());
	writeFileSync(path.join(folder, 'config.json'), readFileSync(path.join(smollm.path, 'config.json')));
	expect(thrownBy(() => openModelFolder(folder)).code).toBe('MODEL_WEIGHTS');
});
