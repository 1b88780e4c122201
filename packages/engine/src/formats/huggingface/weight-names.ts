import type { WeightSource } from '../weight-source.ts';
import type { ExpectedTensor } from './expected-tensor.ts';
import { weightBeside } from './stored-layouts.ts';

/** What stands before a base's names where it was saved by itself, and in a checkpoint for question answering. */
const otherPrefixes = ['', 'transformer.'];

/**
 * The source under the names of a language model: a base that was saved by itself (`AutoModel`) has no `model.` before its
 * names. Tensors that are not of the base keep theirs.
 */
export function withBasePrefix(source: WeightSource, expected: readonly ExpectedTensor[]): WeightSource {
	const embedding = expected[0]!.name;
	const prefix = embedding.slice(0, embedding.indexOf('.') + 1);
	const bare = embedding.slice(prefix.length);
	const other = otherPrefixes.find((candidate) => source.info(candidate + bare) !== undefined);
	if (other === undefined || source.names.some((name) => name.startsWith(prefix))) return source;
	const known = new Set(expected.map(({ name }) => name));
	const renamed = new Map(
		source.names.map((stored) => {
			const name = prefix + stored.slice(other.length);
			const isOfBase = stored.startsWith(other) && known.has(weightBeside(name) ?? name);
			return [isOfBase ? name : stored, stored];
		}),
	);
	return rename(source, renamed);
}

/** What norms are called in checkpoints that TensorFlow's were converted to, as BERT's own. */
const formerEndings = [
	['.gamma', '.weight'],
	['.beta', '.bias'],
] as const;

/** The source under the names that norms have now, as transformers reads them. */
export function withCurrentNames(source: WeightSource): WeightSource {
	const current = (stored: string) => {
		const ending = formerEndings.find(([former]) => stored.endsWith(`LayerNorm${former}`));
		if (ending === undefined) return stored;
		const name = stored.slice(0, -ending[0].length) + ending[1];
		// a file with both names has one too many, which is refused by name
		return source.info(name) === undefined ? name : stored;
	};
	if (source.names.every((name) => current(name) === name)) return source;
	return rename(source, new Map(source.names.map((stored) => [current(stored), stored])));
}

/** @param renamed the name in the file of each name that the source is to have */
function rename(source: WeightSource, renamed: ReadonlyMap<string, string>): WeightSource {
	const storedName = (name: string) => renamed.get(name) ?? name;
	const { readInto } = source;
	return {
		...source,
		names: [...renamed.keys()],
		info: (name) => source.info(storedName(name)),
		read: (name) => source.read(storedName(name)),
		readPart: (name, offset, length) => source.readPart(storedName(name), offset, length),
		readInto: readInto && ((name, target) => readInto(storedName(name), target)),
	};
}
