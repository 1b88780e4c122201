import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
	checkTokenizer,
	createReferenceBackend,
	createTrainableModel,
	loadTokenizer,
	loadTrainableModel,
	openModelFolder,
} from '@vulntune/engine';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filesOf } from '../../../../tests/files.ts';
import { readDocuments } from './documents.ts';
import { resolvePretrainConfig } from './load-config.ts';
import { measureSequence } from './pass.ts';
import { type PretrainEvent, type PretrainOutcome, runPretraining } from './run-pretraining.ts';
import { buildSequence, planSequences } from './sequences.ts';
import { prepareTokenizer } from './tokenizer.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-pretraining-'));
afterAll(() => rmSync(folder, { recursive: true }));

const names = ['alpha', 'beta', 'gamma', 'delta', 'omega', 'sigma'];
const lines = names.flatMap((first) =>
	names.map((second) => JSON.stringify({ code: `if (${first} == null) return; use(${first}, ${second});` })),
);
writeFileSync(path.join(folder, 'rows.jsonl'), lines.join('\n'));

const base = {
	source: { type: 'jsonl', path: 'rows.jsonl', validationShare: 0.15 },
	model: {
		vocabularySize: 300,
		hiddenSize: 16,
		intermediateSize: 32,
		layers: 2,
		heads: 2,
		keyValueHeads: 1,
		maxPositions: 64,
		storage: 'fp32',
	},
	sequence: { length: 64 },
	training: {
		steps: 40,
		learningRate: 0.02,
		warmupSteps: 5,
		accumulation: 2,
		precision: 'fp32',
		validateEverySteps: 15,
		checkpointEverySteps: 20,
	},
	backend: 'reference',
};

interface Changes {
	readonly model?: object;
	readonly training?: object;
	readonly tokenizer?: object;
}

function configOf(name: string, changes: Changes = {}) {
	const value = {
		...base,
		...changes,
		model: { ...base.model, ...changes.model },
		training: { ...base.training, ...changes.training },
		output: path.join(folder, name),
	};
	return resolvePretrainConfig(value, { place: 'test', folder });
}

/** From other processes. */
const isHeld = (name: string) => existsSync(path.join(folder, name, 'run.lock'));

/** Runs until `sequences` of them have been trained on, then interrupts. */
async function run(
	name: string,
	mode: { resume?: boolean; overwrite?: boolean } = {},
	sequences = Number.POSITIVE_INFINITY,
	changes: Changes = {},
): Promise<PretrainOutcome> {
	let seen = 0;
	const emit = (event: PretrainEvent) => {
		if (event.type === 'training' || event.type === 'validating') seen += 1;
		if (event.type === 'training') expect(isHeld(name)).toBe(true);
	};
	const signals = { emit, interrupted: () => seen >= sequences };
	return runPretraining(configOf(name, changes), { resume: false, overwrite: false, ...mode }, signals);
}

const results = ['metrics.jsonl', 'model/model.safetensors', 'model/tokenizer.json', 'model/README.md'];
const bytesOf = (name: string) =>
	results.map((file) => readFileSync(path.join(folder, name, file), 'base64'));

let whole: PretrainOutcome;
beforeAll(async () => {
	whole = await run('whole');
});

describe('a pretraining run', () => {
	test('learns more than how often each token occurs', () => {
		const { source, training } = configOf('x');
		const { train, valid } = readDocuments(source, training.seed);
		const { tokenizer } = prepareTokenizer(null, train, 300);
		const entropy = unigramEntropy([...train, ...valid].map((text) => tokenizer.encode(text)));
		expect(entropy).toBeGreaterThan(2);
		if (whole.status !== 'finished') throw new Error(whole.status);
		expect(whole.validation.loss).toBeLessThan(entropy / 2);
		expect(whole.validation.perplexity).toBeCloseTo(Math.exp(whole.validation.loss), 10);
	});

	test('writes a line per step, per validation and at its end', () => {
		const text = readFileSync(path.join(folder, 'whole/metrics.jsonl'), 'utf8');
		const records = text
			.trim()
			.split('\n')
			.map((line) => JSON.parse(line));
		expect(records.filter(({ type }) => type === 'step').map(({ step }) => step)).toEqual(
			Array.from({ length: 40 }, (_, index) => index + 1),
		);
		const validations = records.filter(({ type }) => type === 'validation');
		expect(validations.map(({ step }) => step)).toEqual([15, 30, 40]);
		expect(records.at(-1)).toEqual({ ...validations.at(-1), type: 'end' });
		expect(readFileSync(path.join(folder, 'whole/timings.jsonl'), 'utf8')).toContain('tokensPerSecond');
	});

	test('gives the same bytes a second time, and others with another seed', async () => {
		await run('second');
		expect(bytesOf('second')).toEqual(bytesOf('whole'));
		await run('seed', {}, Number.POSITIVE_INFINITY, { training: { seed: 2 } });
		expect(bytesOf('seed')[1]).not.toBe(bytesOf('whole')[1]);
	});

	test('goes on to the same bytes from wherever it was interrupted', async () => {
		let outcome = await run('interrupted', {}, 3);
		for (let turns = 0; outcome.status === 'interrupted'; turns++) {
			expect(turns).toBeLessThan(40);
			// odd numbers: some stops fall between the sequences of a step, some into a validation
			outcome = await run('interrupted', { resume: true }, 7 + 2 * (turns % 3));
		}
		expect(bytesOf('interrupted')).toEqual(bytesOf('whole'));
		expect(isHeld('interrupted')).toBe(false);
	});

	test('leaves a finished run as it is, and refuses its folder to another', async () => {
		const before = bytesOf('whole');
		expect((await run('whole', { resume: true })).status).toBe('alreadyFinished');
		expect(bytesOf('whole')).toEqual(before);
		await expect(run('whole')).rejects.toThrow(/--resume/);
		const other = { training: { learningRate: 0.01 } };
		cpSync(path.join(folder, 'whole'), path.join(folder, 'other'), { recursive: true });
		await expect(run('other', { resume: true }, 9, other)).rejects.toThrow(/another configuration/);
	});

	test('never begins anew over the run of another command', async () => {
		const output = path.join(folder, 'of-train');
		cpSync(path.join(folder, 'whole'), output, { recursive: true });
		rmSync(path.join(output, 'checkpoints'), { recursive: true });
		const training = 'model: m\ndata: { path: d }\nmethod: { type: lora }\n';
		writeFileSync(path.join(output, 'config.yaml'), training);
		const before = filesOf(output);
		await expect(run('of-train', { resume: true })).rejects.toMatchObject({
			code: 'CHECKPOINT_OTHER_RUN',
			summary: expect.stringContaining('another command'),
		});
		expect(filesOf(output)).toEqual(before);
	});
});

describe('the saved folder', () => {
	test('is a model with its tokenizer that computes what was trained', () => {
		const place = path.join(folder, 'whole/model');
		const opened = openModelFolder(place);
		const tokenizer = loadTokenizer(place);
		checkTokenizer(tokenizer, opened.config);
		const text = tokenizer.encode('if (alpha == null) return; use(alpha, beta);');
		expect(tokenizer.decode(text)).toBe('if (alpha == null) return; use(alpha, beta);');

		const backend = createReferenceBackend();
		const saved = loadTrainableModel(backend, opened, 64, []);
		const trained = createTrainableModel(backend, opened.config, 64, 1);
		const checkpoints = path.join(folder, 'whole/checkpoints');
		const newest = path.join(checkpoints, readdirSync(checkpoints).sort().at(-1)!, 'parameters.f32');
		const bytes = readFileSync(newest);
		backend.upload(trained.parameters.values, new Float32Array(Uint8Array.from(bytes).buffer));
		const [pieces] = planSequences([text.length], 64, 1, 1);
		const sequence = buildSequence(pieces!, [text], tokenizer.separatorId!);
		const settings = { backend, precision: 'fp32', checkpointing: false } as const;
		const loss = measureSequence(sequence, { ...settings, model: saved.model });
		expect(loss).toBe(measureSequence(sequence, { ...settings, model: trained.model }));
		expect(loss / text.length).toBeLessThan(2);
		for (const model of [saved, trained]) model.free();
		expect(backend.memory().liveBuffers).toBe(0);
		backend.close();
		opened.close();
	});

	test('lends its tokenizer to another model, stored in bf16', async () => {
		const tokenizer = { from: path.join(folder, 'whole/model') };
		const short = { steps: 2 };
		await run('lent', {}, Number.POSITIVE_INFINITY, {
			tokenizer,
			training: short,
			model: { storage: 'bf16' },
		});
		const file = 'model/tokenizer.json';
		expect(readFileSync(path.join(folder, 'lent', file))).toEqual(
			readFileSync(path.join(folder, 'whole', file)),
		);
		const opened = openModelFolder(path.join(folder, 'lent/model'));
		expect(opened.weights.info('model.norm.weight')?.dtype).toBe('BF16');
		opened.close();
		const tooSmall = run('small', {}, 1, { tokenizer, model: { vocabularySize: 257 } });
		await expect(tooSmall).rejects.toThrow(/model\.vocabularySize: the tokenizer has \d+ tokens/);
		expect(existsSync(path.join(folder, 'small'))).toBe(false);
	});
});

/** Mean −log of a token's share of all tokens: what a model without context can reach. */
function unigramEntropy(documents: readonly Int32Array[]): number {
	const counts = new Map<number, number>();
	for (const ids of documents) for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
	const total = documents.reduce((sum, ids) => sum + ids.length, 0);
	return [...counts.values()].reduce((sum, count) => sum - (count / total) * Math.log(count / total), 0);
}
