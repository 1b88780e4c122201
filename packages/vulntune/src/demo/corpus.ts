import { createDraw, type Draw } from './draw.ts';
import { plainWords } from './names.ts';
import { ordinaryFunction } from './ordinary.ts';
import { drawPair, weaknessIds } from './pair.ts';
import { block, capitalise } from './text.ts';

export interface CorpusOptions {
	readonly seed: number;
	/** How many functions, at least 1; the number of texts is smaller, since classes hold several. */
	readonly functions: number;
}

/** Shares of what a function of the corpus is: mostly sound code, from which a base learns what is usual. */
const kinds = { fixed: 64, vulnerable: 16, ordinary: 20 } as const;
const classShare = 0.12;

/**
 * Java source to teach a small base model the language that the demo's functions are written in: functions alone
 * and in classes, without any label. Its function names come from a list that `generateDemoDataset` never uses,
 * so no row of a demo dataset, whatever its seed, is part of a corpus.
 */
export function* generateCorpus({ seed, functions }: CorpusOptions): Generator<string> {
	for (let made = 0; made < functions; ) {
		const draw = createDraw(seed, `corpus/${made}`);
		if (!draw.chance(classShare)) {
			yield corpusFunction(draw);
			made++;
			continue;
		}
		const count = Math.min(2 + draw.below(3), functions - made);
		yield corpusClass(draw, count);
		made += count;
	}
}

function corpusFunction(draw: Draw): string {
	const kind = draw.weighted(kinds);
	if (kind === 'ordinary') return ordinaryFunction(draw, 'corpus');
	return drawPair(draw, 'corpus', draw.below(weaknessIds.length))[kind];
}

function corpusClass(draw: Draw, functions: number): string {
	const name =
		capitalise(draw.pick(plainWords)) + draw.pick(['Service', 'Handler', 'Store', 'Helper', 'Reader']);
	const lines = ['private final Logger log = Loggers.of("' + name + '");'];
	for (let index = 0; index < functions; index++) lines.push('', ...corpusFunction(draw).split('\n'));
	return block(`public class ${name}`, lines).join('\n');
}
