import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { SafetensorsEntry } from '../formats/safetensors/writer.ts';
import { smallConfig, smallTensors, writeSmallModel } from '../formats/testing/small-model.ts';
import { thrownBy } from '../formats/testing/thrown-by.ts';
import type { FourBitOptions } from '../quantize/four-bit.ts';
import { quantizeMatrix } from '../quantize/matrix.ts';
import { quantizedMatrixEntries } from '../quantize/stored-matrix.ts';
import type { QuantizedType } from '../quantize/types.ts';
import { openModelFolder } from './model-folder.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-claims-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let folders = 0;

const bitsandbytes = (type: string, doubleQuantization = false) => ({
	...{ quant_method: 'bitsandbytes', load_in_4bit: true, bnb_4bit_quant_type: type },
	bnb_4bit_use_double_quant: doubleQuantization,
});

/** The small model, its linear layers quantised where `type` is given but for those whose names hold `except`. */
function open(
	quantization: object,
	type?: QuantizedType,
	{ except, ...options }: FourBitOptions & { readonly except?: string } = {},
) {
	const tensors = smallTensors().flatMap((tensor) => {
		const isPlain = except !== undefined && tensor.name.includes(except);
		if (type === undefined || isPlain || !/_proj\.weight$/.test(tensor.name)) return [tensor];
		const values = new Float32Array((tensor.data as Uint8Array).slice().buffer);
		const shape = tensor.shape as [number, number];
		return quantizedMatrixEntries(tensor.name, quantizeMatrix(values, shape, type, options));
	});
	openTensors(quantization, tensors);
}

function openTensors(quantization: object, tensors: readonly SafetensorsEntry[]) {
	const folder = path.join(scratch, String(folders++));
	const config = { ...smallConfig, quantization_config: quantization };
	openModelFolder(writeSmallModel(folder, config, tensors)).close();
}

test.each([
	['gptq4', { quant_method: 'gptq', bits: 4, group_size: 32 }],
	['awq4', { quant_method: 'awq', bits: 4, group_size: 32 }],
	['nf4 without quantised scales', bitsandbytes('nf4')],
	['fp4 with quantised scales', bitsandbytes('fp4', true)],
	['int8', { quant_method: 'vulntune', quant_type: 'int8' }],
])('%s is not said of plain weights', (claim, quantization) => {
	const { code, summary, remedy } = thrownBy(() => open(quantization));
	expect(code).toBe('MODEL_WEIGHTS');
	expect(summary).toContain(`quantization_config says ${claim}, but model.layers.0.self_attn.q_proj.weight`);
	expect(summary).toContain('is not quantised');
	expect(remedy).toContain('remove quantization_config');
});

test('nor of weights of another type, or with scales of another kind', () => {
	open(bitsandbytes('nf4', true), 'nf4', { doubleQuantization: true });
	open({ quant_method: 'vulntune', quant_type: 'normal3' }, 'normal3');
	const refusal = (...claim: Parameters<typeof open>) => thrownBy(() => open(...claim)).summary;
	expect(refusal(bitsandbytes('fp4'), 'nf4')).toContain('is of another type');
	expect(refusal({ quant_method: 'vulntune', quant_type: 'quantile3' }, 'normal3')).toContain(
		'is of another type',
	);
	expect(refusal({ quant_method: 'vulntune', quant_type: 'int8' }, 'nf4')).toContain('is of another type');
	expect(refusal(bitsandbytes('nf4', true), 'nf4')).toContain('with quantised scales, but');
	expect(refusal(bitsandbytes('nf4'), 'nf4', { doubleQuantization: true })).toContain('has them');
});

test('nor of plain ones among those of AWQ', () => {
	const awq = { quant_method: 'awq', bits: 4, group_size: 8 };
	/** Codes, zeros and scales of zeros for W [N, K]. */
	const packed = ({ name, shape }: SafetensorsEntry): SafetensorsEntry[] => {
		const [outputs, inputs] = shape as [number, number];
		const part = (suffix: string, dtype: 'I32' | 'F16', rows: number, columns: number) => {
			const data = new Uint8Array((dtype === 'I32' ? 4 : 2) * rows * columns);
			return { name: name.replace(/weight$/, suffix), dtype, shape: [rows, columns], data };
		};
		return [
			part('qweight', 'I32', inputs, outputs / 8),
			part('qzeros', 'I32', inputs / 8, outputs / 8),
			part('scales', 'F16', inputs / 8, outputs),
		];
	};
	const tensorsBut = (plain: string) =>
		smallTensors().flatMap((tensor) =>
			/_proj\.weight$/.test(tensor.name) && !tensor.name.includes(plain) ? packed(tensor) : [tensor],
		);
	openTensors(awq, tensorsBut('none'));
	const { summary } = thrownBy(() => openTensors(awq, tensorsBut('down_proj')));
	expect(summary).toContain('says awq4, but model.layers.0.mlp.down_proj.weight is not quantised');
});

test('layers may be plain where the config excepts them, by the whole name or a part', () => {
	const excepting = (...names: string[]) => ({ ...bitsandbytes('nf4'), llm_int8_skip_modules: names });
	const except = { except: 'down_proj' };
	for (const name of ['down_proj', 'mlp.down_proj', 'model.layers.0.mlp.down_proj', 'layers']) {
		open(excepting('lm_head', name), 'nf4', except);
	}
	for (const names of [[], ['lm_head'], ['down'], ['layers.1']]) {
		const { summary } = thrownBy(() => open(excepting(...names), 'nf4', except));
		expect(summary).toContain('mlp.down_proj.weight is not quantised');
	}
	// exceptions for all of them are no claim at all
	for (const all of [
		{ ...bitsandbytes('nf4'), llm_int8_skip_modules: ['model', 'lm_head'] },
		{ quant_method: 'gptq', bits: 4, group_size: 32, modules_in_block_to_quantize: [['self_attn.q_projX']] },
		{ quant_method: 'awq', bits: 4, group_size: 32, modules_to_not_convert: ['layers'] },
	]) {
		expect(thrownBy(() => open(all)).summary).toContain('excepts every linear layer: none is quantised');
	}
	const { place } = thrownBy(() => open({ ...bitsandbytes('nf4'), llm_int8_skip_modules: 3 }, 'nf4'));
	expect(place).toContain('quantization_config: llm_int8_skip_modules');
});
