import path from 'node:path';
import { type ModelFolder, openModelFolder, type WeightSource } from '@vulntune/engine';
import { afterAll, expect, test } from 'vitest';
import { temporaryFolder, writeTinyModel } from '../../../../tests/tiny.ts';
import { planTensors } from './quantize-plan.ts';

type Dtype = NonNullable<ReturnType<WeightSource['info']>>['dtype'];

const tiny = openModelFolder(writeTinyModel(path.join(temporaryFolder(), 'model')));
afterAll(() => tiny.close());

/** The tiny model with tensors of these types: its own in another one, or others beside them. */
function withTypes(types: Readonly<Record<string, Dtype>>): ModelFolder {
	const { weights } = tiny;
	const info: WeightSource['info'] = (name) => {
		const dtype = types[name];
		if (dtype === undefined) return weights.info(name);
		return { ...(weights.info(name) ?? { shape: [1], byteLength: 8 }), dtype };
	};
	const names = [...new Set([...weights.names, ...Object.keys(types)])];
	return { ...tiny, weights: { ...weights, names, info } };
}

test('a matrix has room for what says its type, whatever others of its shape have', () => {
	const [first, second] = ['0', '1'].map((layer) => `model.layers.${layer}.self_attn.q_proj.weight`);
	const plan = planTensors(withTypes({ [second!]: 'BF16' }), { type: 'nf4', doubleQuantization: true });
	const stateBytes = (matrix: string) =>
		plan.tensors.find(({ name }) => name.startsWith(`${matrix}.quant_state`))!.shape[0]!;
	expect(stateBytes(second!) - stateBytes(first!)).toBe('bfloat16'.length - 'float32'.length);
});

test('floats beside the base are kept as they are, but for the copy of a head that the embeddings are', () => {
	const kept = { 'of.f64': 'F64', 'of.f32': 'F32', 'of.f16': 'F16', 'of.bf16': 'BF16' } as const;
	const source = withTypes({ ...kept, 'lm_head.weight': 'F32', position_ids: 'I64' });
	const plan = planTensors(source, { type: 'int8', doubleQuantization: false });
	expect(plan.besideBase).toEqual(Object.keys(kept));
	for (const [name, dtype] of Object.entries(kept)) {
		expect(plan.dense).toContain(name);
		expect(plan.tensors).toContainEqual(expect.objectContaining({ name, dtype }));
	}
});
