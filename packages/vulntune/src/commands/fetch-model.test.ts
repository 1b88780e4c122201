import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { resolveModel } from '../config/paths.ts';
import { type StandInHub, startStandInHub } from '../hub/testing/stand-in-hub.ts';
import type { CommandContext } from '../terminal/context.ts';
import { fetchModel } from './fetch-model.ts';

const name = 'owner/model';
let hub: StandInHub;
let cache: string;
const updates: string[] = [];
const controller = new AbortController();
const context: CommandContext = {
	progress: { update: ({ task, detail }) => void updates.push(`${task}: ${detail}`), note() {}, finish() {} },
	interruption: () => controller.signal,
};

beforeEach(async () => {
	hub = await startStandInHub({ 'config.json': Buffer.from('{}'), 'model.safetensors': Buffer.from('x') });
	cache = mkdtempSync(path.join(os.tmpdir(), 'vulntune-fetch-'));
	vi.stubEnv('HF_HUB_CACHE', cache);
	vi.stubEnv('HF_ENDPOINT', `${hub.url}/`);
	vi.stubEnv('HF_HUB_OFFLINE', '');
});
afterEach(async () => {
	vi.unstubAllEnvs();
	await hub.close();
	rmSync(cache, { recursive: true });
});

it('asks nobody without --download, and takes what it fetched from then on', async () => {
	expect(await fetchModel(name, false, context)).toBe(name);
	expect(hub.seen).toEqual([]);
	const folder = await fetchModel(name, true, context);
	expect(folder.startsWith(cache)).toBe(true);
	expect(updates.at(-1)).toBe('fetching owner/model: model.safetensors');
	const asked = hub.seen.length;
	expect(await fetchModel(name, false, context)).toBe(folder);
	expect(await fetchModel(name, true, context)).toBe(folder);
	expect(resolveModel(name, '/', '/home/me')).toBe(folder);
	expect(hub.seen.length).toBe(asked);
});

it('leaves paths as they are', async () => {
	expect(await fetchModel(cache, true, context)).toBe(cache);
	expect(await fetchModel('./owner/model', true, context)).toBe('./owner/model');
	expect(hub.seen).toEqual([]);
});

it('fetches nothing where HF_HUB_OFFLINE forbids it', async () => {
	vi.stubEnv('HF_HUB_OFFLINE', '1');
	await expect(fetchModel(name, true, context)).rejects.toMatchObject({ code: 'HUB_OFFLINE', kind: 'input' });
	expect(hub.seen).toEqual([]);
});

it('sends HF_TOKEN, and ends at Ctrl-C with what goes on from there', async () => {
	vi.stubEnv('HF_TOKEN', 'secret');
	hub.settings.token = 'secret';
	const stopping = { ...context, progress: { ...context.progress, update: () => controller.abort() } };
	await expect(fetchModel(name, true, stopping)).rejects.toMatchObject({
		code: 'INTERRUPTED',
		kind: 'interrupted',
	});
});
