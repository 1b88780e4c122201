import { inputError, type VulntuneError } from '../errors.ts';

/** How a caller names a failure of the text it parses. */
export interface JsonPlace {
	/** The code of the error: `SAFETENSORS_HEADER`. */
	readonly code: string;
	readonly place: string;
	readonly remedy?: string;
}

/**
 * Parses UTF-8 bytes as a JSON object and refuses what `JSON.parse` lets through: bytes that are not UTF-8,
 * and a name that occurs twice in one object (`JSON.parse` keeps the last, so a file could mean one thing
 * to this reader and another to the next). Read the result with `Object.entries` or `ownValue`: the names come
 * from a file and may be `__proto__`.
 */
export function parseJsonObject(bytes: Uint8Array, where: JsonPlace): object {
	const text = decodeUtf8(bytes, where);
	const value = parseJson(text, where);
	if (!isJsonObject(value)) {
		throw jsonError(`a JSON object is expected, found ${describeJson(value)}`, where);
	}
	const duplicate = findDuplicateName(text);
	if (duplicate !== undefined) {
		throw jsonError(`the name ${quoteName(duplicate)} occurs twice in one object`, where);
	}
	return value;
}

/**
 * A JSON value as text that does not depend on the order of keys or on white space: equal values give equal texts.
 * Keys without a value (`undefined`) are left out, as JSON has none.
 */
export function canonicalJson(value: unknown): string {
	return JSON.stringify(value, (_key, part: unknown) =>
		isJsonObject(part)
			? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
			: part,
	);
}

export function isJsonObject(value: unknown): value is object {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of `name` in an object that came out of `JSON.parse`, never one that the object inherits. */
export function ownValue(object: object, name: string): unknown {
	return Object.getOwnPropertyDescriptor(object, name)?.value;
}

/** A name from a file as it may stand in a message: quoted, escaped, at most about 80 characters. */
export function quoteName(name: string): string {
	return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
}

/** A JSON value as it may stand in a message: its text when short, else its kind. */
export function describeJson(value: unknown): string {
	if (value === undefined) return 'nothing';
	if (typeof value === 'string') return quoteName(value);
	if (Array.isArray(value)) {
		const isShort = value.length <= 8 && value.every((item) => typeof item === 'number');
		return isShort ? `[${value.join(', ')}]` : 'a list';
	}
	return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function decodeUtf8(bytes: Uint8Array, where: JsonPlace): string {
	try {
		return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
	} catch (cause) {
		throw jsonError('the text is not UTF-8', where, cause);
	}
}

function parseJson(text: string, where: JsonPlace): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		const reason = cause instanceof Error ? cause.message : String(cause);
		throw jsonError(`the text is not JSON (${reason.slice(0, 160).replaceAll('\n', ' ')})`, where, cause);
	}
}

function jsonError(message: string, where: JsonPlace, cause?: unknown): VulntuneError {
	return inputError(where.code, message, {
		place: where.place,
		...(where.remedy === undefined ? {} : { remedy: where.remedy }),
		...(cause === undefined ? {} : { cause }),
	});
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const space = 0x20;

/**
 * The first name that occurs twice in one object of `text`, which must be valid JSON: there, a string is a
 * name exactly if a colon follows it.
 */
function findDuplicateName(text: string): string | undefined {
	const namesOfOpenObjects: Set<string>[] = [];
	for (let at = 0; at < text.length; at++) {
		const character = text.charCodeAt(at);
		if (character === openBrace) namesOfOpenObjects.push(new Set());
		else if (character === closeBrace) namesOfOpenObjects.pop();
		else if (character === quote) {
			const start = at++;
			while (text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
			let next = at + 1;
			while (text.charCodeAt(next) <= space) next++;
			if (text.charCodeAt(next) !== colon) continue;
			const name: string = JSON.parse(text.slice(start, at + 1));
			const names = namesOfOpenObjects.at(-1)!;
			if (names.has(name)) return name;
			names.add(name);
		}
	}
	return undefined;
}
