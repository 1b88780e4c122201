import type { Draw } from './draw.ts';
import { plainWords } from './names.ts';

export type ReturnType = 'void' | 'boolean' | 'String' | 'int';

export const returnTypes: readonly ReturnType[] = ['void', 'void', 'boolean', 'String', 'int'];

const refusals: Readonly<Record<ReturnType, string>> = {
	void: 'return;',
	boolean: 'return false;',
	String: 'return null;',
	int: 'return -1;',
};
const exceptions = ['IllegalArgumentException', 'IllegalStateException', 'IOException', 'RequestException'];

/** How a function refuses to go on: an exception, or a return that its caller reads as a refusal. */
export function drawExit(draw: Draw, type: ReturnType): string {
	if (draw.chance(0.5)) return refusals[type];
	return `throw new ${draw.pick(exceptions)}("${draw.pick(plainWords)}");`;
}

/** The last statement of a function that did its work; undefined for `void`. */
export function drawReturn(draw: Draw, type: ReturnType): string | undefined {
	if (type === 'void') return undefined;
	if (type === 'boolean') return 'return true;';
	return type === 'String' ? `return "${draw.pick(plainWords)}";` : 'return counter;';
}
