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
	const storedName = (name: string) => renamed.get(name) ?? name;
	return {
		...source,
		names: [...renamed.keys()],
		info: (name) => source.info(storedName(name)),
		read: (name) => source.read(storedName(name)),
		readPart: (name, offset, length) => source.readPart(storedName(name), offset, length),
	};
}
