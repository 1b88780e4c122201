import { copyFileSync, existsSync, lstatSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '@vulntune/engine/errors.ts';
import { makeFolder, writeTextAtomically } from '@vulntune/engine/formats/files.ts';
import { findSnapshot, hubCache, repositoryFolder, snapshotFolder } from './cache.ts';
import { type HubAccess, type HubFile, type HubListing, hubAccess, listModel } from './client.ts';
import { downloadFile } from './download-file.ts';
import { type HubName, isCommit, parseHubName } from './names.ts';

export interface DownloadOptions {
	readonly access?: HubAccess;
	readonly cache?: string;
	readonly signal?: AbortSignal;
	/** Told of the file that is fetched, and of the bytes of all that are there. */
	readonly progress?: (file: string, done: number, total: number) => void;
}

const weights = /^(model\.safetensors|model-\d+-of-\d+\.safetensors|model\.safetensors\.index\.json)$/;
const companions =
	/^(config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json)$/;

/**
 * Fetches what is read of a model (config, tokenizer, safetensors) into the cache that Hugging Face's tools share. What is there already
 * isn't fetched again, and what was begun is gone on with; each file is checked against the hash that the hub announced. The
 * revision's name points to the commit only when all is there.
 *
 * @param text `owner/name` or `owner/name@revision`
 * @returns the folder of the model
 * @throws VulntuneError what `listModel` and `downloadFile` throw, MODEL_PICKLE and HUB_NO_MODEL where the hub has nothing that is read
 */
export async function downloadModel(text: string, options: DownloadOptions = {}): Promise<string> {
	const { access = hubAccess(), cache = hubCache(), signal, progress } = options;
	const model = parseHubName(text);
	const present = isCommit(model.revision) ? findSnapshot(model, cache) : undefined;
	if (present !== undefined) return present;
	const listing = await listModel(model, access, signal);
	const files = chosenFiles(listing, model, access);
	const repository = repositoryFolder(cache, model);
	const snapshot = snapshotFolder(repository, listing.commit);
	for (const folder of [path.join(repository, 'blobs'), snapshot]) makeFolder(folder);
	const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
	let finished = 0;
	for (const file of files) {
		const blob = path.join(repository, 'blobs', file.hash.hex);
		if (!existsSync(blob)) {
			const url = `${access.endpoint}/${model.name}/resolve/${listing.commit}/${file.path}`;
			const onBytes = (bytes: number) => progress?.(file.path, finished + bytes, total);
			await downloadFile({ url, model, file, blob, signal, onBytes }, access);
		}
		finished += file.bytes;
		progress?.(file.path, finished, total);
		link(blob, path.join(snapshot, file.path));
	}
	if (!isCommit(model.revision)) writeRef(repository, model.revision, listing.commit);
	return snapshot;
}

/** Files at the root of a repository alone: names of one part, so that none leads out of its folder. */
function chosenFiles({ files }: HubListing, { name }: HubName, { endpoint }: HubAccess): readonly HubFile[] {
	const place = `${endpoint}/${name}`;
	const hasWeights = files.some((file) => weights.test(file.path));
	if (hasWeights && files.some((file) => file.path === 'config.json')) {
		// one file of all weights is read before shards
		const isWhole = files.some((file) => file.path === 'model.safetensors');
		const isRead = (file: HubFile) =>
			companions.test(file.path) || (isWhole ? file.path === 'model.safetensors' : weights.test(file.path));
		return files.filter(isRead);
	}
	const pickles = files.map((file) => file.path).filter((file) => /\.(bin|pt|pth|pkl|ckpt)$/.test(file));
	if (!hasWeights && pickles.length > 0) {
		throw inputError(
			'MODEL_PICKLE',
			`the hub has the weights as pickle files only: ${pickles.slice(0, 5).join(', ')}`,
			{
				place,
				remedy:
					'Pickle files can run any code when opened and are never read. Look for a revision with safetensors ' +
					`(often a pull request by a bot: ${name}@refs/pr/1), or convert the model where you trust it.`,
			},
		);
	}
	const isGguf = files.some((file) => file.path.endsWith('.gguf'));
	throw inputError('HUB_NO_MODEL', 'the hub has no config.json with safetensors under this name', {
		place,
		remedy: isGguf
			? 'It has GGUF files: download one and give its path.'
			: 'Give the name of a model in Hugging Face layout.',
	});
}

/** As huggingface_hub links it: relative, so that the cache may be moved; a copy where the file system has no links. */
function link(blob: string, file: string): void {
	if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) {
		if (existsSync(file)) return;
		rmSync(file); // a link to a blob that is gone
	}
	try {
		symlinkSync(path.relative(path.dirname(file), blob), file);
	} catch {
		copyFileSync(blob, file);
	}
}

function writeRef(repository: string, revision: string, commit: string): void {
	const file = path.join(repository, 'refs', ...revision.split('/'));
	makeFolder(path.dirname(file));
	writeTextAtomically(file, commit);
}
