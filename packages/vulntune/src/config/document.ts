import { inputError } from '@vulntune/engine/errors.ts';
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';

/** A YAML file's value and where in the file its parts stand. */
export interface ConfigDocument {
	readonly value: unknown;
	/** Line (from 1) of the key at a path; that of the nearest section above where the path is not in the file. */
	lineOf(path: readonly (string | number)[]): number | undefined;
}

const maxBytes = 2 ** 20;
const remedy = 'Mend the line: two spaces per level (no tabs), `key: value`, quotes and brackets closed.';

/**
 * @param place the file's name as the user gave it, for errors
 * @throws VulntuneError CONFIG_YAML with line and column of every fault
 */
export function readConfigDocument(text: string, place: string): ConfigDocument {
	if (text.length > maxBytes) {
		throw inputError('CONFIG_YAML', `a config has at most ${maxBytes} bytes, this file is no config`, {
			place,
		});
	}
	const lines = new LineCounter();
	const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
	if (document.errors.length > 0) {
		const faults = document.errors.slice(0, 20).map((error) => {
			const { line, col } = lines.linePos(error.pos[0]);
			return { place: `${place}:${line}:${col}`, message: `broken YAML: ${error.message}` };
		});
		const [first] = faults;
		if (faults.length === 1) throw inputError('CONFIG_YAML', first!.message, { place: first!.place, remedy });
		const list = faults.map((fault) => `  ${fault.place}: ${fault.message}`).join('\n');
		throw inputError('CONFIG_YAML', `${faults.length} faults in ${place}\n${list}`, { remedy });
	}
	return { value: toValue(), lineOf };

	function toValue(): unknown {
		visit(document, {
			Alias(_, node) {
				if (node.resolve(document) !== undefined) return;
				const { line, col } = lines.linePos(node.range![0]);
				throw inputError('CONFIG_YAML', `broken YAML: no anchor &${node.source} stands before this alias`, {
					place: `${place}:${line}:${col}`,
					remedy,
				});
			},
		});
		try {
			return document.toJS({ maxAliasCount: 100 });
		} catch (error) {
			throw inputError('CONFIG_YAML', `broken YAML: ${(error as Error).message}`, {
				place,
				remedy,
				cause: error,
			});
		}
	}

	function lineOf(path: readonly (string | number)[]): number | undefined {
		let node: unknown = document.contents;
		let line: number | undefined;
		for (const part of path) {
			if (isAlias(node)) node = node.resolve(document);
			if (isMap(node)) {
				const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part));
				if (pair === undefined) break;
				if (isScalar(pair.key) && pair.key.range) line = lines.linePos(pair.key.range[0]).line;
				node = pair.value;
			} else if (isSeq(node)) {
				node = node.items[Number(part)];
				if (isNode(node) && node.range) line = lines.linePos(node.range[0]).line;
			} else break;
		}
		return line;
	}
}
