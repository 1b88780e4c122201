import { inputError, type VulntuneError } from '../../errors.ts';
import { describeJson, isJsonObject, ownValue } from '../json.ts';
import { type KeyTable, refuseUnknownKeys } from '../known-keys.ts';

/** Sizes beyond this are mistakes, and would make tables and shapes that no machine can hold. */
const maxSize = 2 ** 31 - 1;

/** The fields of a JSON object from a file, each checked when it is read; `null` counts as absent. */
export interface Fields {
	readonly place: string;
	has(name: string): boolean;
	readonly isEmpty: boolean;
	/** Whether the file says that there is none, which is more than to leave it out where the default is another. */
	isNull(name: string): boolean;
	/** Throws for a field that may change what is computed and that nothing here reads. */
	refuseOthers(table: KeyTable): void;
	raw(name: string): unknown;
	/** An integer from 1 to `maximum`; throws where it is absent and no default is given. */
	size(name: string, options?: { default?: number; maximum?: number }): number;
	/** A finite number above 0; throws where it is absent and no default is given. */
	positive(name: string, defaultValue?: number): number;
	flag(name: string, defaultValue: boolean): boolean;
	text(name: string): string | undefined;
	/** The fields of an object inside this one; undefined where it is absent. */
	object(name: string): Fields | undefined;
	/** `message` about one field, with its place: `config.json: hidden_size`. */
	error(name: string, message: string, remedy?: string): VulntuneError;
}

const otherModel =
	'It would be computed wrongly here. Choose another base model, or remove the key where it has no effect on this one.';
const checkConfig = 'Check that the file belongs to this model and was not edited by mistake.';

/** Reads fields of `json`; every error has the code `MODEL_CONFIG` and the place `<place>: <name>`. */
export function readFields(json: object, place: string): Fields {
	const raw = (name: string) => ownValue(json, name) ?? undefined;
	const error = (name: string, message: string, remedy = checkConfig) =>
		inputError('MODEL_CONFIG', message, { place: `${place}: ${name}`, remedy });
	const expected = (name: string, what: string) =>
		error(name, `${what} is expected, found ${describeJson(raw(name))}`);
	return {
		place,
		raw,
		error,
		has: (name) => raw(name) !== undefined,
		isEmpty: Object.keys(json).length === 0,
		isNull: (name) => ownValue(json, name) === null,
		refuseOthers(table) {
			refuseUnknownKeys(json, table, (name, message) => error(name, message, otherModel));
		},
		size(name, { default: defaultValue, maximum = maxSize } = {}) {
			const value = raw(name) ?? defaultValue;
			if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > maximum) {
				throw expected(name, `an integer from 1 to ${maximum}`);
			}
			return value;
		},
		positive(name, defaultValue) {
			const value = raw(name) ?? defaultValue;
			if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
				throw expected(name, 'a number above 0');
			}
			return value;
		},
		flag(name, defaultValue) {
			const value = raw(name) ?? defaultValue;
			if (typeof value !== 'boolean') throw expected(name, 'true or false');
			return value;
		},
		text(name) {
			const value = raw(name);
			if (value !== undefined && typeof value !== 'string') throw expected(name, 'a string');
			return value;
		},
		object(name) {
			const value = raw(name);
			if (value === undefined) return undefined;
			if (!isJsonObject(value)) throw expected(name, 'an object');
			return readFields(value, `${place}: ${name}`);
		},
	};
}
