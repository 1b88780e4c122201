import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type HubName, isCommit } from './names.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The cache that Hugging Face's tools share, by the variables that they go by; in these too `~` is the home folder. */
export function hubCache(env: Environment = process.env, home = os.homedir()): string {
	const common = env.XDG_CACHE_HOME ?? path.join(home, '.cache');
	const hubHome = env.HF_HOME ?? path.join(common, 'huggingface');
	const cache = env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? path.join(hubHome, 'hub');
	return cache.replace(/^~(?=$|\/)/, home);
}

/** The folder of a model in the cache, with `blobs`, `refs` and `snapshots` inside. */
export function repositoryFolder(cache: string, { name }: Pick<HubName, 'name'>): string {
	return path.join(cache, `models--${name.replace('/', '--')}`);
}

/** The folder of one commit, whose files are links to `blobs`. */
export function snapshotFolder(repository: string, commit: string): string {
	return path.join(repository, 'snapshots', commit);
}

/** The folder of a model that lies in the cache whole: config and all weights; undefined where it doesn't. */
export function findSnapshot(model: HubName, cache = hubCache()): string | undefined {
	const repository = repositoryFolder(cache, model);
	const commit = isCommit(model.revision) ? model.revision : readRef(repository, model.revision);
	if (commit === undefined) return undefined;
	const folder = snapshotFolder(repository, commit);
	return isWhole(folder) ? folder : undefined;
}

/** The hub's name of the model whose snapshot this is; undefined for any other folder. */
export function hubNameOf(folder: string): string | undefined {
	const [, owner, name] = /models--([\w.-]+?)--([\w.-]+)[/\\]snapshots[/\\][0-9a-f]{40}$/.exec(folder) ?? [];
	return owner === undefined ? undefined : `${owner}/${name}`;
}

function readRef(repository: string, revision: string): string | undefined {
	const file = path.join(repository, 'refs', ...revision.split('/'));
	if (!existsSync(file)) return undefined;
	const commit = readFileSync(file, 'utf8').trim();
	return isCommit(commit) ? commit : undefined;
}

function isWhole(folder: string): boolean {
	const has = (name: string) => existsSync(path.join(folder, name));
	if (!has('config.json')) return false;
	if (has('model.safetensors')) return true;
	return has('model.safetensors.index.json') && shardsOf(folder).every(has);
}

/** A broken index is found out where the weights are opened. */
function shardsOf(folder: string): string[] {
	try {
		const index = JSON.parse(readFileSync(path.join(folder, 'model.safetensors.index.json'), 'utf8'));
		return Object.values<string>(index.weight_map).filter((name) => typeof name === 'string');
	} catch {
		return [];
	}
}
