import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadPretrainConfig, resolvePretrainConfig } from '../pretraining/load-config.ts';
import type { CommandContext } from '../terminal/context.ts';
import { pretrainFromConfig } from './pretrain-command.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vulntune-pretrain-command-'));
afterAll(() => rmSync(folder, { recursive: true }));

const output = path.join(folder, 'run');
const config = resolvePretrainConfig(
	{
		source: { type: 'generated', functions: 30 },
		model: { vocabularySize: 300, hiddenSize: 8, intermediateSize: 8, layers: 1, heads: 2, keyValueHeads: 1 },
		sequence: { length: 64 },
		training: { steps: 3, accumulation: 1, precision: 'fp32' },
		backend: 'reference',
		output,
	},
	{ place: 'test', folder },
);
const fresh = { config, resume: false, overwrite: false, dryRun: false };

function contextOf(signal: AbortSignal) {
	const notes: string[] = [];
	const details: string[] = [];
	const context: CommandContext = {
		progress: {
			update: ({ done, total, unit }) => details.push(`${done} of ${total} ${unit}`),
			note: (line) => notes.push(line),
			finish: () => {},
		},
		interruption: () => signal,
	};
	return { context, notes, details };
}

const never = new AbortController().signal;

test('a dry run tells the plan and writes nothing', async () => {
	const { data, text } = await pretrainFromConfig({ ...fresh, dryRun: true }, contextOf(never).context);
	// embedding, one block (q, k, v, o, gate, up, down, two norms), the last norm
	const parameters = 300 * 8 + (8 * 8 + 2 * 4 * 8 + 8 * 8 + 3 * 8 * 8 + 2 * 8) + 8;
	expect(data).toMatchObject({ parameters, steps: 3, stateBytes: 16 * parameters });
	expect(text).toContain('2,808 parameters');
	expect(existsSync(output)).toBe(false);
});

test('an interrupted run says how to go on, and goes on', async () => {
	const stopped = AbortSignal.abort();
	await expect(pretrainFromConfig(fresh, contextOf(stopped).context)).rejects.toMatchObject({
		code: 'INTERRUPTED',
		kind: 'interrupted',
		remedy: `Go on with: vulntune pretrain ${path.join(output, 'config.yaml')} --resume`,
	});
	const { context, notes, details } = contextOf(never);
	const kept = loadPretrainConfig(path.join(output, 'config.yaml'));
	const { data, text } = await pretrainFromConfig({ ...fresh, config: kept, resume: true }, context);
	expect(data).toMatchObject({ status: 'finished', steps: 3, model: path.join(output, 'model') });
	expect(text).toContain('3 steps; validation loss');
	expect(notes.at(-1)).toMatch(/^step 3: validation loss \d\.\d+, perplexity/);
	expect(details.at(-1)).toBe('3 of 3 steps');
	await expect(pretrainFromConfig(fresh, context)).rejects.toMatchObject({ code: 'RUN_EXISTS' });
	const again = await pretrainFromConfig({ ...fresh, resume: true }, context);
	expect(again.text).toContain('nothing was changed');
});
