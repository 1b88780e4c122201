/**
 * Opens what is written for other tools with those tools, on models of a few thousand random weights of every family, and prints the
 * largest difference of their logits from ours:
 *
 *     VULNTUNE_PYTHON=python3 node scripts/clients/main.ts [part of a case's name [part of a client's]]
 *
 * The interpreter needs torch, transformers, peft, bitsandbytes, llama-cpp-python, onnx and onnxruntime. VULNTUNE_ONNXRUNTIME names a
 * node_modules with onnxruntime-node and onnxruntime-web, which are left out without it. Not part of the tests.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GgufModelType } from '@vulntune/engine';
import { exportModel } from 'vulntune/export/export-model.ts';
import { mergeModel } from 'vulntune/export/merge-model.ts';
import { type MadeOptions, makeRun, type TinyShape } from 'vulntune/export/testing/made-run.ts';
import { referenceOf } from 'vulntune/export/testing/reference.ts';
import { quantizeModel } from 'vulntune/model/quantize-model.ts';
import { tinyShapes } from '../../tests/tiny.ts';

const python = process.env.VULNTUNE_PYTHON ?? 'python3';
const here = path.dirname(fileURLToPath(import.meta.url));
const onReference = { 'backend.type': 'reference' };

interface Case {
	readonly name: string;
	readonly shape: TinyShape;
	readonly options: MadeOptions;
	readonly clients: readonly (keyof typeof clients)[];
}

/** What a case has made: a run, its base, and a folder to write into. */
interface Made {
	readonly run: string;
	readonly model: string;
	readonly folder: string;
}

/** Runs a script of this folder; each line of JSON is a result. */
function runClient(script: string, ...argv: readonly string[]): readonly ClientResult[] {
	const interpreter = script.endsWith('.py') ? python : process.execPath;
	const output = execFileSync(interpreter, [path.join(here, script), ...argv], {
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
		env: { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', PYTHONWARNINGS: 'ignore' },
	});
	return output
		.split('\n')
		.filter((line) => line.startsWith('{'))
		.map((line) => JSON.parse(line));
}

interface ClientResult {
	readonly client: string;
	readonly largest: number;
	readonly magnitude: number;
}

/** The functions that are compared, in the tokens that a client is given, with the logits of the detector. */
async function writeReference(run: string, file: string): Promise<string> {
	writeFileSync(file, JSON.stringify(await referenceOf(run)));
	return file;
}

async function merged({ run, folder }: Made): Promise<string> {
	const output = path.join(folder, 'merged');
	await mergeModel({
		...{ run, output, type: 'fp32', overwrite: true, compare: 0 },
		...{ overrides: onReference, allowOtherBase: false },
	});
	return output;
}

const clients = {
	async peft({ run, model, folder }: Made) {
		const reference = await writeReference(run, path.join(folder, 'reference.json'));
		return runClient('peft_adapter.py', path.join(run, 'adapter'), model, reference);
	},
	async transformers(made: Made) {
		const reference = await writeReference(made.run, path.join(made.folder, 'reference.json'));
		return runClient('transformers_model.py', await merged(made), reference);
	},
	async bitsandbytes(made: Made) {
		const output = path.join(made.folder, 'quantised');
		await quantizeModel({
			...{ model: await merged(made), output },
			...{ type: 'nf4', doubleQuantization: true, overwrite: true },
		});
		const reference = await writeReference(output, path.join(made.folder, 'quantised.json'));
		return runClient('transformers_model.py', output, reference);
	},
	llamaCpp: async (made: Made) => inGguf(made, 'f16'),
	llamaCppQ8: async (made: Made) => inGguf(made, 'q8_0'),
	llamaCppQ4: async (made: Made) => inGguf(made, 'q4_0'),
	onnx: async (made: Made) => inOnnx(made),
	onnxBeside: async (made: Made) => inOnnx(made, 0),
};

async function inOnnx({ run, folder }: Made, maxBytes?: number): Promise<readonly ClientResult[]> {
	const output = path.join(folder, maxBytes === undefined ? 'whole.onnx' : 'beside.onnx');
	await exportModel({
		...{ run, to: 'onnx', output, maxBytes, overwrite: true },
		...{ overrides: onReference, allowOtherBase: false },
	});
	const reference = await writeReference(run, path.join(folder, 'reference.json'));
	const inNode =
		process.env.VULNTUNE_ONNXRUNTIME === undefined ? [] : runClient('onnx_file.ts', output, reference);
	return [...runClient('onnx_file.py', output, reference), ...inNode];
}

async function inGguf({ run, folder }: Made, type: GgufModelType): Promise<readonly ClientResult[]> {
	const output = path.join(folder, `model-${type}.gguf`);
	await exportModel({
		...{ run, to: 'gguf', type, output, overwrite: true },
		...{ overrides: onReference, allowOtherBase: false },
	});
	const reference = await writeReference(run, path.join(folder, 'reference.json'));
	return runClient('llama_cpp_file.py', output, reference);
}

// bitsandbytes computes on a CPU with matrices of multiples of 64 columns and 32 rows alone
const llama = { ...tinyShapes.llama, hidden_size: 128, intermediate_size: 256 };
const gptBigCode = { ...tinyShapes.gptBigCode, n_embd: 128, n_head: 4 };
const roberta = { ...tinyShapes.roberta, hidden_size: 128, intermediate_size: 256 };

const lora = { 'sequence.length': '128' };
const onNf4 = { ...lora, 'method.type': 'qlora', 'method.base': 'nf4' };
const inOnnxruntime = ['onnx', 'onnxBeside'] as const;
const decoders = ['peft', 'transformers', 'bitsandbytes', 'llamaCpp', 'llamaCppQ8', 'llamaCppQ4'] as const;
const classifiers = [...decoders, ...inOnnxruntime] as const;
const nextToken = { ...lora, objective: 'nextToken' };
const cases: readonly Case[] = [
	{ name: 'llama, LoRA, last token', shape: llama, options: lora, clients: classifiers },
	{ name: 'llama, QLoRA (nf4)', shape: llama, options: onNf4, clients: ['transformers', 'onnx'] },
	{ name: 'llama, next token', shape: llama, options: nextToken, clients: decoders },
	{
		name: 'llama, mean, hidden layer',
		shape: llama,
		options: { ...lora, 'head.pool': 'mean', 'head.hidden': '16' },
		clients: ['llamaCpp', 'onnx'],
	},
	{ name: 'gpt_bigcode, LoRA, last token', shape: gptBigCode, options: lora, clients: classifiers },
	{
		name: 'roberta, LoRA, <s>, hidden layer',
		shape: roberta,
		options: { ...lora, 'head.pool': 'first', 'head.hidden': '16' },
		clients: ['transformers', 'bitsandbytes', ...inOnnxruntime],
	},
	{
		name: 'llama, LoRA, mean and maximum',
		shape: llama,
		options: { ...lora, 'head.pool': 'meanMax' },
		clients: inOnnxruntime,
	},
	{
		name: 'bert, LoRA, mean',
		shape: tinyShapes.bert,
		options: { ...lora, 'head.pool': 'mean' },
		clients: inOnnxruntime,
	},
	...(['mistral', 'qwen2', 'qwen3', 'starcoder2', 'gptNeox'] as const).map((family) => ({
		name: `${tinyShapes[family].model_type}, LoRA, last token`,
		shape: tinyShapes[family],
		options: lora,
		clients: inOnnxruntime,
	})),
	{
		name: 'modernbert, LoRA, max',
		shape: tinyShapes.modernBert,
		options: { ...lora, 'head.pool': 'max' },
		clients: inOnnxruntime,
	},
];

const root = mkdtempSync(path.join(tmpdir(), 'vulntune-clients-'));
const [wanted = '', client = ''] = process.argv.slice(2);
let failures = 0;
console.log('| detector | client | largest difference | of logits up to |\n|---|---|---|---|');
for (const [index, { name, shape, options, clients: asked }] of cases.entries()) {
	if (!name.includes(wanted)) continue;
	const folder = path.join(root, String(index));
	const made = { ...makeRun(options, shape, folder), folder };
	for (const asker of asked.filter((one) => one.includes(client))) {
		try {
			for (const { client: told, largest, magnitude } of await clients[asker](made)) {
				console.log(`| ${name} | ${told} | ${largest.toExponential(1)} | ${magnitude.toPrecision(3)} |`);
			}
		} catch (error) {
			failures += 1;
			const text = (error as { stderr?: string }).stderr ?? String(error);
			console.log(`| ${name} | ${asker} | failed: ${text.trim().split('\n').slice(-3).join(' / ')} | |`);
		}
	}
}
rmSync(root, { recursive: true });
process.exitCode = failures > 0 ? 4 : 0;
