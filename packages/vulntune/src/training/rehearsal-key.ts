import { createHash } from 'node:crypto';
import { expectedTensors } from '@vulntune/engine';
import type { RehearsedWork } from './rehearse.ts';

const objectives = new WeakMap<object, number>();
let objectivesSeen = 0;

/** Equal for runs that take the same steps on the same shapes: all of a run but γ, a number that a kernel is given. */
export function rehearsalKey({ dtypeOf, ...run }: RehearsedWork): string {
	const stored = dtypeOf && expectedTensors(run.model).map(({ name }) => dtypeOf(name));
	const text = JSON.stringify([run, stored], (name, value) => {
		if (name === 'gamma') return undefined;
		if (typeof value === 'function') return numberOf(value);
		return ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value;
	});
	return createHash('sha256').update(text).digest('hex');
}

/** A function has no text that says what it does: each is known by itself. */
function numberOf(objective: object): number {
	const known = objectives.get(objective);
	if (known !== undefined) return known;
	objectives.set(objective, objectivesSeen);
	return objectivesSeen++;
}
