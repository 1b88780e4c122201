import { z } from 'zod';

/** Where the base of an adapter lies, where it is elsewhere than when the adapter was made. */
export const movedBaseFlag = z
	.string()
	.min(1)
	.optional()
	.describe('folder of the base model, where it lies elsewhere than when the adapter was made');

/** Whether an adapter is taken with another base than its own; `what` is done then. */
export function otherBaseFlag(what: string) {
	return z.boolean().default(false).describe(what);
}
