import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fingerprintDifferences, loadTokenizer, readModelConfig, writePeftAdapter } from '@vulntune/engine';
import { afterAll, describe, expect, test } from 'vitest';
import { tinyShapes, writeTinyModel } from '../../../../tests/tiny.ts';
import { describeMemory } from '../commands/memory-text.ts';
import { modelCommand } from '../commands/model.ts';
import { runCommandLine } from '../commands/program.ts';
import { modelCommands } from '../commands/run-model-commands.ts';
import { modelMemory } from '../training/what-fits.ts';
import { readAdapterInfo } from './adapter-info.ts';
import { readModelInfo } from './model-info.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'vulntune-info-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const tiny = writeTinyModel(path.join(scratch, 'tiny'));

function copyOfTiny(name: string): string {
	const copy = path.join(scratch, name);
	cpSync(tiny, copy, { recursive: true });
	return copy;
}

async function run(...argv: string[]) {
	let stdout = '';
	let stderr = '';
	const terminal = {
		stdout: (text: string) => void (stdout += text),
		stderr: (text: string) => void (stderr += text),
		isInteractive: false,
		columns: 100,
	};
	const exitCode = await runCommandLine(argv, [modelCommand(modelCommands)], terminal, '0.0.0');
	return { exitCode, stdout, stderr };
}

describe('the memory of a model', () => {
	const infoOf = async (...argv: string[]) =>
		JSON.parse((await run('model', 'info', tiny, '--json', ...argv)).stdout);

	test('is that of its weights by type, and of fine-tuning here and on cards', async () => {
		const { memory, parameters } = await infoOf('--length', '64');
		const { weights, fits, tokens } = memory;
		expect(tokens).toBe(64);
		expect(weights.fp32 / (4 * parameters.total)).toBeCloseTo(1, 1);
		expect(weights.bf16).toBeLessThan(weights.fp32);
		expect(weights.int8).toBeLessThan(weights.bf16);
		expect(weights.nf4).toBeLessThan(weights.int8);
		const cards = fits.filter(({ place }: { place: string }) => place === 'card');
		expect(cards).toHaveLength(10);
		for (const fit of fits) expect(fit).toMatchObject({ fits: true, checkpointing: false });
	});

	test('grows with the length of the sequences', async () => {
		const bytes = async (length: string) => (await infoOf('--length', length)).memory.fits[0].bytes;
		expect(await bytes('512')).toBeGreaterThan(await bytes('64'));
	});

	test('is shown as a table', async () => {
		const { stdout } = await run('model', 'info', tiny);
		expect(stdout).toMatch(/In memory the weights take fp32 \d/);
		expect(stdout).toMatch(/^qlora \(nf4\)( +[\d.]+ [KMG]iB){6}$/m);
	});

	test('is refused for sequences that the model cannot read', async () => {
		const { exitCode, stderr } = await run('model', 'info', tiny, '--length', '65537');
		expect(exitCode).toBe(2);
		expect(stderr).toContain('--length 65537 is beyond the 65536 tokens');
	});
});

test('what blocks have in the memory of the machine is marked in the table', () => {
	const weights = { fp32: 4e9, bf16: 2e9, int8: 1e9, nf4: 5e8 };
	const fit = { place: 'card', gigabytes: 8, bytes: 2 ** 32, fits: true } as const;
	const text = describeMemory({
		...{ tokens: 9, weights },
		fits: [
			{ ...fit, method: 'qlora', checkpointing: 'host' },
			{ ...fit, method: 'lora', checkpointing: true },
		],
	});
	expect(text).toMatch(/^qlora \(nf4\) +4\.0 GiB h\nlora \(bf16\) +4\.0 GiB c$/m);
});

test('a card that is too small by one byte is turned to checkpointing, then given up', () => {
	const model = readModelConfig(tiny);
	const { fits } = modelMemory(model, 4096, 1e12);
	const ample = fits[0]!;
	const at = (bytes: number) => modelMemory(model, 4096, bytes).fits[0]!;
	expect(at(ample.bytes)).toMatchObject({ checkpointing: false, fits: true });
	const short = at(ample.bytes - 1);
	expect(short).toMatchObject({ checkpointing: true, fits: true });
	expect(at(short.bytes - 1)).toMatchObject({ checkpointing: true, fits: false });
});

describe('a model', () => {
	test('is counted part by part', () => {
		const info = readModelInfo(tiny);
		// hidden 32, feed-forward 64, 4 heads of 8, 2 of them for keys and values, 2 layers, 304 tied embeddings
		expect(info.parameters).toEqual({
			total: 9728 + 2 * (3072 + 6144) + 160,
			embedding: 304 * 32,
			attention: 2 * (2 * 32 * 32 + 2 * 16 * 32),
			feedForward: 2 * 3 * 32 * 64,
			norms: 5 * 32,
			outputHead: 0,
		});
		expect(info.weights?.bytes).toBe(4 * info.parameters.total);
		expect(info.weights?.dtypes).toEqual({
			F32: { tensors: info.weights?.tensors, bytes: info.weights?.bytes },
		});
		expect(info).toMatchObject({
			architecture: 'LlamaForCausalLM',
			maxPositions: 65_536,
			quantization: null,
		});
		expect(info.tokenizer).toMatchObject({
			vocabularySize: loadTokenizer(tiny).vocabularySize,
			separatorId: expect.any(Number),
		});
		expect(info.problems).toEqual([]);
	});

	test.each(['gptBigCode', 'bert'] as const)(
		'has its attention counted whatever it is called: %s',
		(shape) => {
			const { parameters } = readModelInfo(writeTinyModel(path.join(scratch, shape), tinyShapes[shape]));
			// hidden 32, feed-forward 64 or 4 times as much, 4 heads of 8, 1 or 4 for keys and values; biases everywhere
			const [keyValue, middle] = shape === 'bert' ? [32, 64] : [8, 128];
			expect(parameters).toMatchObject({
				attention: 2 * (2 * 32 * 32 + 2 * keyValue * 32 + 2 * 32 + 2 * keyValue),
				feedForward: 2 * (2 * 32 * middle + 32 + middle),
				norms: 5 * 2 * 32,
			});
		},
	);

	test('tells what does not fit together, with exit code 2', async () => {
		const folder = copyOfTiny('misfit');
		const file = path.join(folder, 'config.json');
		const config = JSON.parse(readFileSync(file, 'utf8'));
		writeFileSync(file, JSON.stringify({ ...config, vocab_size: 200 }));
		const { exitCode, stdout } = await run('model', 'info', folder, '--json');
		const info = JSON.parse(stdout);
		expect(info.problems.map(({ code }: { code: string }) => code)).toEqual([
			'MODEL_WEIGHTS',
			'TOKENIZER_MODEL',
		]);
		expect(info.weights).toBeNull();
		expect(exitCode).toBe(2);
		expect((await run('model', 'info', folder)).stdout).toContain('problem: ');
	});

	test('has its own tokenizer or none', () => {
		const folder = copyOfTiny('mute');
		rmSync(path.join(folder, 'tokenizer.json'));
		expect(readModelInfo(folder)).toMatchObject({ tokenizer: null, problems: [] });
	});

	test('is the same quantised, but for its storage', async () => {
		const output = path.join(scratch, 'quantised');
		const quantized = await run(
			'model',
			'quantize',
			tiny,
			'--type',
			'quantile4',
			'--output',
			output,
			'--json',
		);
		expect(quantized.exitCode).toBe(0);
		const report = JSON.parse(quantized.stdout);
		const info = readModelInfo(output);
		const { weights, quantization, path: _path, fingerprint, ...same } = info;
		const original = readModelInfo(tiny);
		expect(original).toMatchObject(same);
		expect(fingerprintDifferences(fingerprint!, original.fingerprint!)).toEqual(['weights', 'config']);
		expect(quantization).toEqual({
			method: 'vulntune',
			type: 'quantile4',
			doubleQuantization: null,
			bitsPerWeight: report.bitsPerWeight,
		});
		expect(weights?.bytes).toBe(report.bytesAfter);
		expect((await run('model', 'info', output)).stdout).toContain('quantile4');
	});
});

describe('an adapter', () => {
	const matrix = (rows: number, columns: number) => ({
		shape: [rows, columns],
		values: new Float32Array(rows * columns),
	});
	const adapter = path.join(scratch, 'run', 'adapter');

	test('is described by its files', async () => {
		cpSync(tiny, adapter, { recursive: true, filter: (name) => !name.includes('.') });
		writePeftAdapter(adapter, {
			config: { rank: 4, alpha: 8, dropout: 0.1, rsLora: true, targets: ['q_proj', 'v_proj'] },
			baseModel: 'models/base',
			matrices: new Map([
				['model.layers.0.self_attn.q_proj.lora_A.weight', matrix(4, 32)],
				['model.layers.0.self_attn.q_proj.lora_B.weight', matrix(32, 4)],
				['model.layers.0.self_attn.v_proj.lora_A.weight', matrix(4, 32)],
				['model.layers.0.self_attn.v_proj.lora_B.weight', matrix(16, 4)],
			]),
			head: new Map([['score.weight', matrix(2, 32)]]),
		});
		const info = readAdapterInfo(adapter);
		expect(info).toMatchObject({ kind: 'adapter', baseModel: 'models/base', detector: null });
		expect(info.lora).toEqual({
			rank: 4,
			alpha: 8,
			scale: 4,
			rsLora: true,
			dropout: 0.1,
			targets: ['q_proj', 'v_proj'],
			modules: 2,
			blocks: [0],
			parameters: 2 * 128 + 128 + 64,
		});
		expect(info.head).toEqual({ parameters: 64, tensors: { 'score.weight': [2, 32] } });
		const { stdout, exitCode } = await run('model', 'info', path.join(scratch, 'run'));
		expect(stdout).toMatch(/rank +4, alpha 8 \(scale 4, rsLoRA\)/);
		expect(exitCode).toBe(0);
	});

	test('shows the threshold where vulntune.json is there', () => {
		const description = {
			format: 1,
			method: 'lora',
			base: 'bf16',
			threshold: 0.25,
			sequence: { length: 512, packing: 'isolated', largeFunctions: 'truncate' },
		};
		writeFileSync(path.join(adapter, 'vulntune.json'), JSON.stringify(description));
		expect(readAdapterInfo(adapter).detector?.threshold).toBe(0.25);
	});

	test('is compared with the base that lies at its place', async () => {
		const file = path.join(adapter, 'vulntune.json');
		const description = { ...JSON.parse(readFileSync(file, 'utf8')), model: tiny, objective: 'class' };
		const describe = (changes: object) => writeFileSync(file, JSON.stringify({ ...description, ...changes }));
		describe({});
		expect(readAdapterInfo(adapter).base).toEqual({ state: 'unchecked', difference: null });
		const { fingerprint } = readModelInfo(tiny);
		describe({ baseFingerprint: fingerprint });
		expect(readAdapterInfo(adapter).base).toEqual({ state: 'same', difference: null });
		expect(readAdapterInfo(adapter, path.join(scratch, 'nowhere')).base.state).toBe('absent');
		describe({ baseFingerprint: { ...fingerprint, tokenizer: 'f'.repeat(64) } });
		const other = await run('model', 'info', adapter);
		expect(other.exitCode).toBe(2);
		expect(other.stdout).toMatch(/not the base that .* another tokenizer \(ffffffffffff there, /);
		expect((await run('model', 'info', adapter, '--allow-other-base')).exitCode).toBe(0);
		const elsewhere = await run('model', 'info', adapter, '--model', path.join(scratch, 'nowhere'));
		expect([elsewhere.exitCode, elsewhere.stdout]).toEqual([0, expect.stringContaining('--model says')]);
		expect((await run('model', 'info', tiny, '--model', tiny)).exitCode).toBe(2);
	});
});

test.each([
	['absent', 'there is no such folder'],
	['.', 'neither a config.json nor an adapter_config.json'],
])('%s is neither', async (name, message) => {
	const { exitCode, stderr } = await run('model', 'info', path.join(scratch, name));
	expect(stderr).toContain(message);
	expect(exitCode).toBe(2);
});
