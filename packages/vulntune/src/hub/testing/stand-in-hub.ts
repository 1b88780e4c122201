import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const commit = 'c0ffee'.padEnd(40, '0');

/** A request as the stand-in got it. */
export interface SeenRequest {
	readonly path: string;
	readonly range: string | undefined;
	readonly authorization: string | undefined;
}

/** A hub on this machine with one model, `owner/model`, that behaves as its settings say. */
export interface StandInHub {
	readonly url: string;
	/** Where large files are redirected to: another origin. */
	readonly storage: string;
	readonly seen: SeenRequest[];
	/** Changed by a test as it goes. */
	readonly settings: {
		files: Record<string, Buffer>;
		/** Without this token the answer is 401, with another 403. */
		token: string | undefined;
		/** Breaks the connection after so many bytes of each answer of a file. */
		breakAfter: number | undefined;
		/** Sends other bytes than are announced, and more of them. */
		wrong: boolean;
		/** Answers whole files to ranges. */
		ignoresRanges: boolean;
		/** Answers this to every request. */
		status: number | undefined;
		/** Files on a page of the list. */
		pageSize: number;
	};
	close(): Promise<void>;
}

export async function startStandInHub(files: Record<string, Buffer>): Promise<StandInHub> {
	const seen: SeenRequest[] = [];
	const settings: StandInHub['settings'] = {
		files,
		token: undefined,
		breakAfter: undefined,
		wrong: false,
		ignoresRanges: false,
		status: undefined,
		pageSize: 2,
	};
	const storage = await listen((request, response) => {
		note(seen, request);
		sendFile(request, response, request.url!.slice(1), settings);
	});
	const hub = await listen((request, response) => {
		note(seen, request);
		const { authorization } = request.headers;
		const refused = settings.token !== undefined && authorization !== `Bearer ${settings.token}`;
		const status = settings.status ?? (refused ? (authorization === undefined ? 401 : 403) : undefined);
		if (status !== undefined) return void response.writeHead(status).end();
		answer(request, response, settings, storage.url, hub.url);
	});
	const close = async () => {
		await Promise.all([hub.close(), storage.close()]);
	};
	return { url: hub.url, storage: storage.url, seen, settings, close };
}

function note(seen: SeenRequest[], { url, headers }: IncomingMessage): void {
	seen.push({ path: url!, range: headers.range, authorization: headers.authorization });
}

function answer(
	request: IncomingMessage,
	response: ServerResponse,
	settings: StandInHub['settings'],
	storage: string,
	hub: string,
): void {
	const { pathname, searchParams } = new URL(request.url!, hub);
	const revisions = ['main', 'v1', 'refs%2Fpr%2F1', commit];
	if (revisions.some((revision) => pathname === `/api/models/owner/model/revision/${revision}`)) {
		json(response, { id: 'owner/model', sha: commit });
		return;
	}
	if (pathname === `/api/models/owner/model/tree/${commit}`) {
		const from = Number(searchParams.get('from') ?? 0);
		const names = Object.keys(settings.files);
		const page = names
			.slice(from, from + settings.pageSize)
			.map((name) => describe(name, settings.files[name]!));
		const rest = from + settings.pageSize;
		const next = rest < names.length ? { link: `<${hub}${pathname}?from=${rest}>; rel="next"` } : {};
		json(response, [{ type: 'directory', path: 'onnx', oid: 'x', size: 0 }, ...page], next);
		return;
	}
	const name = pathname.replace(`/owner/model/resolve/${commit}/`, '');
	if (settings.files[name] === undefined) return void response.writeHead(404).end();
	if (isLarge(name)) return void response.writeHead(302, { location: `${storage}/${name}` }).end();
	sendFile(request, response, name, settings);
}

function sendFile(
	{ headers }: Pick<IncomingMessage, 'headers'>,
	response: ServerResponse,
	name: string,
	{ files, wrong, breakAfter, ignoresRanges }: StandInHub['settings'],
): void {
	const bytes = wrong ? Buffer.alloc(2 * files[name]!.length) : files[name]!;
	const start = ignoresRanges ? 0 : Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
	if (start >= bytes.length) return void response.writeHead(416).end();
	const range = start === 0 ? {} : { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
	response.writeHead(start === 0 ? 200 : 206, {
		etag: `"${name}"`,
		'content-length': bytes.length - start,
		...range,
	});
	if (breakAfter === undefined || bytes.length - start <= breakAfter)
		return void response.end(bytes.subarray(start));
	response.flushHeaders();
	if (breakAfter === 0) setImmediate(() => response.destroy());
	else response.write(bytes.subarray(start, start + breakAfter), () => response.destroy());
}

function isLarge(name: string): boolean {
	return name.endsWith('.safetensors') || name.endsWith('.bin');
}

function describe(name: string, bytes: Buffer): object {
	const git = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
	const sha256 = createHash('sha256').update(bytes).digest('hex');
	const large = isLarge(name) ? { lfs: { oid: sha256, size: bytes.length, pointerSize: 130 } } : {};
	return { type: 'file', path: name, size: bytes.length, oid: git, ...large };
}

function json(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
	response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void) {
	const server: Server = createServer(handle);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address() as AddressInfo;
	const close = () =>
		new Promise<void>((resolve) => {
			server.close(() => resolve());
			server.closeAllConnections();
		});
	return { url: `http://127.0.0.1:${port}`, close };
}
