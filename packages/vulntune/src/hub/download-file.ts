import { createHash } from 'node:crypto';
import {
	closeSync,
	createReadStream,
	fsyncSync,
	openSync,
	renameSync,
	rmSync,
	statSync,
	writeSync,
} from 'node:fs';
import { VulntuneError } from '@vulntune/engine/errors.ts';
import { fileError } from '@vulntune/engine/formats/file-errors.ts';
import { type HubAccess, type HubFile, request, unreachable } from './client.ts';
import type { HubName } from './names.ts';

export interface FileDownload {
	readonly url: string;
	readonly model: HubName;
	readonly file: HubFile;
	/** Where it goes once it is whole; until then it lies beside it as `<blob>.incomplete`. */
	readonly blob: string;
	readonly signal?: AbortSignal | undefined;
	/** Told of the bytes that are there. */
	readonly onBytes?: (bytes: number) => void;
}

const attempts = 4;
/** A connection that gives nothing for so long is given up. */
const stallSeconds = 60;

/**
 * Fetches a file of a model, going on with what an earlier call left of it, and checks its size and hash before it gets its name.
 *
 * @throws VulntuneError what `request` throws; HUB_HASH where what came isn't what the hub announced, HUB_UNREACHABLE where the connection
 * ends again and again, DISK_FULL, …
 */
export async function downloadFile(download: FileDownload, access: HubAccess): Promise<void> {
	const { blob, file, signal } = download;
	const incomplete = `${blob}.incomplete`;
	for (let attempt = 1; sizeOf(incomplete) !== file.bytes; attempt++) {
		const before = sizeOf(incomplete);
		try {
			await fetchRest(download, incomplete, access);
		} catch (error) {
			signal?.throwIfAborted();
			const isOver = !(error instanceof VulntuneError) || error.code !== 'HUB_UNREACHABLE';
			// whoever gets on may go on
			if (isOver || (attempt >= attempts && sizeOf(incomplete) <= before)) throw error;
			continue;
		}
		if (sizeOf(incomplete) >= file.bytes) break;
		if (attempt >= attempts) throw unreachable(download.url, 'the connection ends before the file does');
	}
	await check(download, incomplete);
	renameSync(incomplete, blob);
}

async function fetchRest(download: FileDownload, incomplete: string, access: HubAccess): Promise<void> {
	const { url, model, signal } = download;
	const stall = new AbortController();
	let timer: NodeJS.Timeout | undefined;
	const alive = () => {
		clearTimeout(timer);
		timer = setTimeout(
			() => stall.abort(new Error(`nothing came for ${stallSeconds} seconds`)),
			stallSeconds * 1000,
		);
	};
	const either = AbortSignal.any([stall.signal, ...(signal === undefined ? [] : [signal])]);
	const start = sizeOf(incomplete);
	const range = start === 0 ? undefined : { range: `bytes=${start}-` };
	alive();
	try {
		const response = await request(url, model, access, { 'accept-encoding': 'identity', ...range }, either);
		// a server that doesn't know ranges begins anew, and one without this range says that what is there is no beginning
		const goesOn = response.status === 206 && contentStart(response) === start;
		if (response.status === 416 || (start > 0 && !goesOn)) rmSync(incomplete, { force: true });
		if (response.status !== 416) await save(response, download, incomplete, alive);
	} catch (error) {
		if (error instanceof VulntuneError) throw error;
		throw unreachable(url, error instanceof Error ? error.message : String(error), error);
	} finally {
		clearTimeout(timer);
	}
}

async function save(
	response: Response,
	download: FileDownload,
	incomplete: string,
	alive: () => void,
): Promise<void> {
	let done = sizeOf(incomplete);
	const descriptor = openForAppending(incomplete);
	try {
		for await (const chunk of response.body ?? []) {
			alive();
			done += chunk.length;
			if (done > download.file.bytes)
				throw changed(download, `it is longer than ${download.file.bytes} bytes`);
			append(descriptor, chunk, incomplete);
			download.onBytes?.(done);
		}
		fsyncSync(descriptor);
	} finally {
		closeSync(descriptor);
	}
}

function contentStart(response: Response): number | undefined {
	const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
	return start === undefined ? undefined : Number(start);
}

async function check(download: FileDownload, incomplete: string): Promise<void> {
	const { file } = download;
	const hash = createHash(file.hash.kind === 'sha256' ? 'sha256' : 'sha1');
	if (file.hash.kind === 'git') hash.update(`blob ${file.bytes}\0`);
	for await (const chunk of createReadStream(incomplete)) hash.update(chunk);
	const found = hash.digest('hex');
	if (found === file.hash.hex) return;
	rmSync(incomplete, { force: true });
	throw changed(
		download,
		`its hash is ${found.slice(0, 12)}…, the hub announced ${file.hash.hex.slice(0, 12)}…`,
	);
}

function changed({ file, url }: FileDownload, reason: string): VulntuneError {
	return new VulntuneError({
		code: 'HUB_HASH',
		kind: 'runtime',
		message: `${file.path} is not what the hub announced: ${reason}`,
		place: url,
		remedy: 'Run the same command again; what came was thrown away.',
	});
}

function sizeOf(file: string): number {
	return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function openForAppending(file: string): number {
	try {
		return openSync(file, 'a');
	} catch (error) {
		throw fileError(error, file, 'written');
	}
}

function append(descriptor: number, chunk: Uint8Array, file: string): void {
	try {
		for (let done = 0; done < chunk.length; ) done += writeSync(descriptor, chunk, done);
	} catch (error) {
		throw fileError(error, file, 'written');
	}
}
