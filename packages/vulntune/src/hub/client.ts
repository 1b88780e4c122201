import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import type { HubName } from './names.ts';

/** Where models are fetched from, and as whom. */
export interface HubAccess {
	/** HF_ENDPOINT, without a slash at its end. */
	readonly endpoint: string;
	/** HF_TOKEN; sent to the endpoint alone. */
	readonly token: string | undefined;
}

export function hubAccess(env: Readonly<Record<string, string | undefined>> = process.env): HubAccess {
	const endpoint = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
	return { endpoint, token: env.HF_TOKEN || undefined };
}

/** A file of a model on the hub. */
export interface HubFile {
	readonly path: string;
	readonly bytes: number;
	/** What names its contents: SHA-256 of a large file, git's SHA-1 of a small one. */
	readonly hash: { readonly kind: 'sha256' | 'git'; readonly hex: string };
}

/** A model's files at one commit. */
export interface HubListing {
	readonly commit: string;
	readonly files: readonly HubFile[];
}

const maxListingBytes = 16_000_000;
const maxPages = 100;

/**
 * What a hub has under a name.
 *
 * @throws VulntuneError HUB_ACCESS (401, 403), HUB_NOT_FOUND, HUB_UNREACHABLE, HUB_ANSWER
 */
export async function listModel(
	model: HubName,
	access: HubAccess,
	signal?: AbortSignal,
): Promise<HubListing> {
	const root = `${access.endpoint}/api/models/${model.name}`;
	const info = await readJson(
		`${root}/revision/${encodeURIComponent(model.revision)}`,
		model,
		access,
		signal,
	);
	const commit = (info.value as { sha?: unknown }).sha;
	if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit))
		throw answerError(root, 'it names no commit');
	const files: HubFile[] = [];
	let next: string | undefined = `${root}/tree/${commit}`;
	for (let page = 0; next !== undefined && page < maxPages; page++) {
		const answer: Answer = await readJson(next, model, access, signal);
		if (!Array.isArray(answer.value)) throw answerError(next, 'a list of files is expected');
		files.push(...answer.value.flatMap((entry) => parseFile(entry, root)));
		next = answer.next;
	}
	return { commit, files };
}

function parseFile(entry: unknown, place: string): HubFile[] {
	const { type, path, size, oid, lfs } = (entry ?? {}) as Readonly<Record<string, unknown>>;
	if (type !== 'file') return [];
	const large = (lfs ?? undefined) as { oid?: unknown; size?: unknown } | undefined;
	const hex = large === undefined ? oid : large.oid;
	const bytes = large === undefined ? size : large.size;
	const isHash =
		typeof hex === 'string' && (large === undefined ? /^[0-9a-f]{40}$/ : /^[0-9a-f]{64}$/).test(hex);
	if (typeof path !== 'string' || !isHash || !Number.isSafeInteger(bytes)) {
		throw answerError(place, 'a file has no name, size or hash');
	}
	return [{ path, bytes: bytes as number, hash: { kind: large === undefined ? 'git' : 'sha256', hex } }];
}

interface Answer {
	readonly value: unknown;
	/** Where the next page is. */
	readonly next: string | undefined;
}

async function readJson(
	url: string,
	model: HubName,
	access: HubAccess,
	signal?: AbortSignal,
): Promise<Answer> {
	const response = await request(url, model, access, {}, signal);
	const text = await response.text();
	if (text.length > maxListingBytes) throw answerError(url, 'it is too long');
	const next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
	if (next !== undefined && !next.startsWith(`${access.endpoint}/`))
		throw answerError(url, 'its next page is elsewhere');
	try {
		return { value: JSON.parse(text), next };
	} catch (cause) {
		throw answerError(url, 'it is no JSON', cause);
	}
}

/**
 * Asks the hub for something; redirects are followed, without the token where they lead elsewhere. Resolves with any answer below 400,
 * and with 416 (the range that was asked for isn't there).
 */
export async function request(
	url: string,
	model: HubName,
	{ token }: HubAccess,
	headers: Readonly<Record<string, string>>,
	signal?: AbortSignal,
): Promise<Response> {
	const all = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
	let response: Response;
	try {
		response = await fetch(url, { headers: { 'user-agent': 'vulntune', ...all }, signal: signal ?? null });
	} catch (cause) {
		signal?.throwIfAborted();
		throw unreachable(url, reasonOf(cause), cause);
	}
	if (response.status < 400 || response.status === 416) return response;
	await response.body?.cancel();
	throw refusal(response.status, url, model, token !== undefined);
}

function refusal(status: number, url: string, { name, revision }: HubName, hasToken: boolean): VulntuneError {
	const model = `${name}@${revision}`;
	if (status === 401 || status === 403) {
		const message = hasToken
			? `the hub refuses ${model} to the owner of HF_TOKEN (${status})`
			: `the hub gives ${model} to nobody without a token (${status}): it is gated or private, or there is none of this name`;
		return inputError('HUB_ACCESS', message, {
			place: url,
			remedy: `Accept its terms on ${new URL(url).origin}/${name}, and set HF_TOKEN to a token of yours that may read it.`,
		});
	}
	if (status === 404) {
		return inputError('HUB_NOT_FOUND', `the hub has no ${model}`, {
			place: url,
			remedy: 'Check the name and the revision (owner/name@revision).',
		});
	}
	return unreachable(url, `it answers ${status}`);
}

export function unreachable(url: string, reason: string, cause?: unknown): VulntuneError {
	return new VulntuneError({
		code: 'HUB_UNREACHABLE',
		kind: 'runtime',
		message: `the hub can't be read: ${reason}`,
		place: url,
		remedy: 'Run the same command again: it goes on where it stopped. HF_ENDPOINT names another hub.',
		cause,
	});
}

function answerError(url: string, reason: string, cause?: unknown): VulntuneError {
	return new VulntuneError({
		code: 'HUB_ANSWER',
		kind: 'runtime',
		message: `the hub's answer can't be read: ${reason}`,
		place: url,
		remedy: 'Check HF_ENDPOINT, or download the model with other tools and give its folder.',
		cause,
	});
}

function reasonOf(cause: unknown): string {
	const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
	return inner instanceof Error ? inner.message : String(inner);
}
