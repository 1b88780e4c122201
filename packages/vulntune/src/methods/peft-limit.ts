import { type HeadOptions, isPeftHead } from './head.ts';

/** What of a LoRA adapter's detector is read by PEFT, or isn't. */
export interface AdapterReading {
	/** undefined where the next token is asked. */
	readonly head: HeadOptions | undefined;
	readonly bidirectionalLayers?: number | undefined;
}

/**
 * Why PEFT, which opens a LoRA adapter without a complaint, gives other numbers with it than vulntune does; undefined where it gives the
 * same. adapter_config.json has no key that would make PEFT refuse it.
 */
export function peftLimit({ head, bidirectionalLayers = 0 }: AdapterReading): string | undefined {
	if (bidirectionalLayers > 0) {
		return 'vulntune alone gives these probabilities: PEFT reads the matrices of the adapter, but lets no token see those after it.';
	}
	if (head === undefined || isPeftHead(head)) return undefined;
	return 'vulntune alone gives these probabilities: PEFT reads the matrices of the adapter, but not its head (PEFT pools the last token, knows heads of one matrix only, and no n-grams beside them).';
}
