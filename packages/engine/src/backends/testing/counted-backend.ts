import type { Backend } from '../contract.ts';

/** A backend that counts the calls of each of its functions. */
export interface CountedBackend {
	readonly backend: Backend;
	/** Calls of one function so far. */
	count(name: keyof Backend): number;
	/** Names in the order of their calls. */
	readonly calls: readonly (keyof Backend)[];
}

/** Test helper: `inner` with a count of what is asked of it. */
export function countCalls(inner: Backend): CountedBackend {
	const calls: (keyof Backend)[] = [];
	const backend = new Proxy(inner, {
		get(target, name: keyof Backend) {
			const member = target[name];
			if (typeof member !== 'function') return member;
			return (...values: unknown[]) => {
				calls.push(name);
				return Reflect.apply(member, target, values);
			};
		},
	});
	return { backend, calls, count: (name) => calls.filter((call) => call === name).length };
}
