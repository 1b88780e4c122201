import { inputError, type VulntuneError } from '@vulntune/engine/errors.ts';
import type { ConfigDefinition } from './definition.ts';

/** A kind of YAML file that a command takes: what only it has at its top, and the command. */
interface FileKind {
	readonly what: string;
	readonly keys: readonly string[];
	readonly command: (file: string) => string;
}

const kinds: readonly FileKind[] = [
	{
		what: 'a grid',
		keys: ['axes', 'cells', 'exclude', 'overrides'],
		command: (file) => `vulntune experiment run ${file} --output DIR`,
	},
	{
		what: 'a config for pretraining',
		keys: ['source', 'tokenizer'],
		command: (file) => `vulntune pretrain ${file}`,
	},
	{
		what: 'a config for fine-tuning',
		keys: ['data', 'method'],
		command: (file) => `vulntune train ${file}`,
	},
];

/**
 * What to say of a file of another kind than the one that is read, instead of a fault for each of its keys: CONFIG_INVALID. undefined
 * where it is of this kind, or of several or none.
 */
export function otherKind(
	value: unknown,
	{ structure }: Pick<ConfigDefinition<unknown>, 'structure'>,
	file: string,
): VulntuneError | undefined {
	if (typeof value !== 'object' || value === null) return undefined;
	const own = Object.keys(structure.properties ?? {});
	const found = kinds.filter(({ keys }) => keys.some((key) => Object.hasOwn(value, key)));
	const [kind] = found;
	if (kind === undefined || found.length > 1 || kind.keys.some((key) => own.includes(key))) return undefined;
	const has = kind.keys.filter((key) => Object.hasOwn(value, key)).join(' and ');
	return inputError('CONFIG_INVALID', `this is ${kind.what} (it has ${has}), which another command reads`, {
		place: file,
		remedy: `Run it with: ${kind.command(file)}`,
	});
}
