import { createDraw, type Draw } from './draw.ts';
import { variableWords } from './names.ts';
import { ordinaryFunction } from './ordinary.ts';
import { drawPair, weaknessIds } from './pair.ts';
import { reviewNote } from './reviewNotes.ts';
import { block, capitalise } from './text.ts';

export interface CorpusOptions {
	readonly seed: number;
	/** How many functions, at least 1; the number of texts is smaller, since classes hold several. */
	readonly functions: number;
	/** Share of the functions with a weakness, or with its repair, that a review note follows; 0 if left out. */
	readonly reviewNotes?: number;
}

/** Shares of what a function of the corpus is. */
const kinds = { fixed: 42, vulnerable: 38, ordinary: 20 } as const;
const classShare = 0.12;

/**
 * Java source to teach a small base model the language that the demo's functions are written in: functions alone
 * and in classes, without any label. Its function names come from a list that `generateDemoDataset` never uses,
 * so no row of a demo dataset, whatever its seed, is part of a corpus.
 */
export function* generateCorpus({ seed, functions, reviewNotes = 0 }: CorpusOptions): Generator<string> {
	for (let made = 0; made < functions; ) {
		const draw = createDraw(seed, `corpus/${made}`);
		if (!draw.chance(classShare)) {
			yield corpusFunction(draw, reviewNotes);
			made++;
			continue;
		}
		const count = Math.min(2 + draw.below(3), functions - made);
		yield corpusClass(draw, count, reviewNotes);
		made += count;
	}
}

function corpusFunction(draw: Draw, reviewNotes: number): string {
	const kind = draw.weighted(kinds);
	if (kind === 'ordinary') return ordinaryFunction(draw, 'corpus');
	const pair = drawPair(draw, 'corpus', draw.below(weaknessIds.length));
	return draw.chance(reviewNotes) ? `${pair[kind]}\n// review: ${reviewNote(pair.scheme, kind)}` : pair[kind];
}

function corpusClass(draw: Draw, functions: number, reviewNotes: number): string {
	const name =
		capitalise(draw.pick(variableWords)) + draw.pick(['Service', 'Handler', 'Store', 'Helper', 'Reader']);
	const lines = ['private final Logger log = Loggers.of("' + name + '");'];
	for (let index = 0; index < functions; index++)
		lines.push('', ...corpusFunction(draw, reviewNotes).split('\n'));
	return block(`public class ${name}`, lines).join('\n');
}
