import { z } from 'zod';
import type { OptionFacts } from './option-facts.ts';

export const wholeNumber = (minimum: number) => z.int().min(minimum);

/** Says in the schema where an option has a meaning, and which words are not here yet. */
export function facts(said: OptionFacts): Record<string, unknown> {
	return { ...said };
}

/** A section may be left out: all of its options then have their defaults. */
export function section<Shape extends z.ZodRawShape>(shape: Shape) {
	return z.strictObject(shape).prefault({} as never);
}
