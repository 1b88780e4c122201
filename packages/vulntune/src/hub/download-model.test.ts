import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	readlinkSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findSnapshot, hubCache, hubNameOf } from './cache.ts';
import { downloadModel } from './download-model.ts';
import { isHubName, parseHubName } from './names.ts';
import { commit, type StandInHub, startStandInHub } from './testing/stand-in-hub.ts';

const weights = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * 7919) % 251));
const model = {
	'.gitattributes': Buffer.from('x'),
	'README.md': Buffer.from('# a model'),
	'config.json': Buffer.from('{}'),
	'tokenizer.json': Buffer.from('{"version": "1.0"}'),
	'model.safetensors': weights,
	'pytorch_model.bin': Buffer.from('pickle'),
	'onnx/model.safetensors': Buffer.from('another'),
};

let hub: StandInHub;
let cache: string;
beforeEach(async () => {
	hub = await startStandInHub({ ...model });
	cache = mkdtempSync(path.join(os.tmpdir(), 'vulntune-hub-'));
});
afterEach(async () => {
	await hub.close();
	rmSync(cache, { recursive: true });
});

const download = (name = 'owner/model', token?: string) =>
	downloadModel(name, { cache, access: { endpoint: hub.url, token } });
const repository = () => path.join(cache, 'models--owner--model');
const fetched = () => hub.seen.filter(({ path }) => !path.startsWith('/api/')).map(({ path }) => path);

it('fetches config, tokenizer and safetensors into the cache as other tools lay it out, and nothing else', async () => {
	const folder = await download();
	expect(folder).toBe(path.join(repository(), 'snapshots', commit));
	expect(readFileSync(path.join(folder, 'model.safetensors'))).toEqual(weights);
	expect(existsSync(path.join(folder, 'README.md'))).toBe(false);
	expect(readFileSync(path.join(repository(), 'refs', 'main'), 'utf8')).toBe(commit);
	const link = readlinkSync(path.join(folder, 'model.safetensors'));
	expect(link).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
	expect(readlinkSync(path.join(folder, 'config.json'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
	expect(fetched().filter((file) => file.includes('pytorch') || file.includes('onnx'))).toEqual([]);
	expect(findSnapshot(parseHubName('owner/model'), cache)).toBe(folder);
	expect(hubNameOf(folder)).toBe('owner/model');
});

it('fetches no file twice, and nothing of a commit that is there', async () => {
	await download();
	const before = fetched().length;
	await download('owner/model@v1');
	expect(fetched().length).toBe(before);
	const asked = hub.seen.length;
	await download(`owner/model@${commit}`);
	expect(hub.seen.length).toBe(asked);
	expect(findSnapshot(parseHubName('owner/model@v1'), cache)).toBeDefined();
	expect(findSnapshot(parseHubName('owner/model@v2'), cache)).toBeUndefined();
});

it('takes a revision of several parts', async () => {
	await download('owner/model@refs/pr/1');
	expect(readFileSync(path.join(repository(), 'refs', 'refs', 'pr', '1'), 'utf8')).toBe(commit);
});

describe('an interrupted transfer', () => {
	it('goes on by itself where it stopped', async () => {
		hub.settings.breakAfter = 20_000;
		const folder = await download();
		expect(readFileSync(path.join(folder, 'model.safetensors'))).toEqual(weights);
		const ranges = hub.seen.filter(({ path }) => path === '/model.safetensors').map(({ range }) => range);
		expect(ranges).toEqual([undefined, 'bytes=20000-', 'bytes=40000-']);
	});

	it('is gone on with by the next call', async () => {
		const blobs = path.join(repository(), 'blobs');
		const folder = await download();
		const blob = path.resolve(folder, readlinkSync(path.join(folder, 'model.safetensors')));
		rmSync(path.join(repository(), 'refs'), { recursive: true });
		rmSync(blob);
		writeFileSync(`${blob}.incomplete`, weights.subarray(0, 30_000));
		hub.seen.length = 0;
		await download();
		expect(hub.seen.filter(({ path }) => path === '/model.safetensors').map(({ range }) => range)).toEqual([
			'bytes=30000-',
		]);
		expect(readFileSync(path.join(blobs, path.basename(blob)))).toEqual(weights);
	});

	it('begins anew on a server that knows no ranges', async () => {
		const blobs = path.join(repository(), 'blobs');
		mkdirSync(blobs, { recursive: true });
		hub.settings.ignoresRanges = true;
		const folder = await download();
		const blob = path.resolve(folder, readlinkSync(path.join(folder, 'model.safetensors')));
		rmSync(blob);
		writeFileSync(`${blob}.incomplete`, weights.subarray(0, 30_000));
		await download();
		expect(readFileSync(blob)).toEqual(weights);
	});

	it('is given up where nothing comes any more, and leaves no model', async () => {
		hub.settings.breakAfter = 0;
		await expect(download()).rejects.toMatchObject({ code: 'HUB_UNREACHABLE', kind: 'runtime' });
		expect(findSnapshot(parseHubName('owner/model'), cache)).toBeUndefined();
	});

	it('ends when it is told to, keeping what came', async () => {
		const controller = new AbortController();
		hub.settings.breakAfter = 20_000;
		const options = { cache, access: { endpoint: hub.url, token: undefined }, signal: controller.signal };
		const stopping = downloadModel('owner/model', {
			...options,
			progress: (file) => void (file === 'model.safetensors' && controller.abort()),
		});
		await expect(stopping).rejects.toThrow();
		expect(findSnapshot(parseHubName('owner/model'), cache)).toBeUndefined();
	});
});

it('throws away what is not what the hub announced', async () => {
	hub.settings.wrong = true;
	await expect(download()).rejects.toMatchObject({
		code: 'HUB_HASH',
		message: expect.stringMatching(/config\.json.*longer/),
	});
	hub.settings.wrong = false;
	await download();
});

it('finds out damage in what an earlier call left', async () => {
	const folder = await download();
	const blob = path.resolve(folder, readlinkSync(path.join(folder, 'model.safetensors')));
	rmSync(blob);
	writeFileSync(`${blob}.incomplete`, Buffer.alloc(weights.length));
	await expect(download()).rejects.toMatchObject({ code: 'HUB_HASH' });
	writeFileSync(`${blob}.incomplete`, Buffer.alloc(weights.length + 1));
	await download();
	expect(readFileSync(blob)).toEqual(weights);
});

describe('a gated model', () => {
	it('is fetched with a token, which goes to the hub alone', async () => {
		hub.settings.token = 'secret';
		await download('owner/model', 'secret');
		const withToken = hub.seen.filter(({ authorization }) => authorization === 'Bearer secret');
		expect(withToken.length).toBeGreaterThan(3);
		expect(
			hub.seen.filter(({ path }) => path === '/model.safetensors').map((each) => each.authorization),
		).toEqual([undefined]);
	});

	it.each([
		[undefined, '401'],
		['another', '403'],
	])('is refused with the token %s, with what to do', async (token, status) => {
		hub.settings.token = 'secret';
		await expect(download('owner/model', token)).rejects.toMatchObject({
			code: 'HUB_ACCESS',
			kind: 'input',
			summary: expect.stringContaining(status),
			remedy: expect.stringContaining('HF_TOKEN'),
		});
	});
});

it.each([
	['owner/absent', 'HUB_NOT_FOUND'],
	['owner/model@absent', 'HUB_NOT_FOUND'],
])('says that there is no %s', async (name, code) => {
	await expect(download(name)).rejects.toMatchObject({ code, kind: 'input' });
});

it('says so where the hub does not answer', async () => {
	hub.settings.status = 503;
	await expect(download()).rejects.toMatchObject({
		code: 'HUB_UNREACHABLE',
		summary: expect.stringContaining('503'),
	});
	await hub.close();
	await expect(download()).rejects.toMatchObject({ code: 'HUB_UNREACHABLE', kind: 'runtime' });
	hub = await startStandInHub({});
});

it.each([
	[
		'pickle files alone',
		{ 'config.json': model['config.json'], 'pytorch_model.bin': weights },
		'MODEL_PICKLE',
		'safetensors',
	],
	['GGUF files alone', { 'a.Q4_0.gguf': weights }, 'HUB_NO_MODEL', 'GGUF'],
	['no model', { 'README.md': weights }, 'HUB_NO_MODEL', 'Hugging Face layout'],
])('refuses a repository with %s, and says what to do', async (_, files, code, remedy) => {
	hub.settings.files = files;
	await expect(download()).rejects.toMatchObject({ code, remedy: expect.stringContaining(remedy) });
	expect(fetched()).toEqual([]);
});

describe('the cache', () => {
	it('lies where the variables of Hugging Face say', () => {
		const at = (env: Record<string, string>) => hubCache(env, '/home/me');
		expect(at({})).toBe('/home/me/.cache/huggingface/hub');
		expect(at({ XDG_CACHE_HOME: '/x' })).toBe('/x/huggingface/hub');
		expect(at({ HF_HOME: '/h', XDG_CACHE_HOME: '/x' })).toBe('/h/hub');
		expect(at({ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/old' })).toBe('/old');
		expect(at({ HF_HOME: '~/h' })).toBe('/home/me/h/hub');
		expect(at({ HF_HUB_CACHE: '~' })).toBe('/home/me');
		expect(at({ HF_HUB_CACHE: '/c~/~user' })).toBe('/c~/~user');
		expect(at({ HF_HUB_CACHE: '/c', HUGGINGFACE_HUB_CACHE: '/old' })).toBe('/c');
	});

	it('has a model only with its config and all shards', () => {
		const snapshot = path.join(repository(), 'snapshots', commit);
		mkdirSync(snapshot, { recursive: true });
		const find = () => findSnapshot(parseHubName(`owner/model@${commit}`), cache);
		const put = (name: string, text = '') => writeFileSync(path.join(snapshot, name), text);
		put(
			'model.safetensors.index.json',
			JSON.stringify({ weight_map: { a: 'one.safetensors', b: 'two.safetensors' } }),
		);
		put('one.safetensors');
		expect(find()).toBeUndefined();
		put('config.json');
		expect(find()).toBeUndefined();
		put('two.safetensors');
		expect(find()).toBe(snapshot);
	});

	it('is not left by a name', () => {
		expect(['owner/name', 'owner/name@v1.0', 'a/b@refs/pr/1', 'a/b@feature-x'].every(isHubName)).toBe(true);
		const others = [
			'name',
			'../name',
			'a/b/c',
			'a/..',
			'a/b@../x',
			'a/b@x/../y',
			'a/b@',
			'/a/b',
			'a/b@/x',
			'a/.b',
		];
		expect(others.filter(isHubName)).toEqual([]);
	});
});
