import type { Backend } from './contract.ts';

/** What the calls of one method of a backend took together. */
export interface MethodTime {
	readonly method: keyof Backend;
	readonly calls: number;
	readonly milliseconds: number;
}

export interface BackendProfile {
	/** Does what the given backend does, and is closed in its place. */
	readonly backend: Backend;
	/** Methods that were called since the start or the last `reset`, the slowest first. */
	times(): MethodTime[];
	reset(): void;
}

/**
 * Times every method of a backend by the calling thread's clock. On a backend whose kernels run asynchronously a
 * kernel's time is that of its launch, and the wait appears in `download` and `sumOfSquares`.
 *
 *     const profile = profileBackend(createCpuBackend());
 *     trainStep(profile.backend);
 *     console.table(profile.times());
 */
export function profileBackend(
	backend: Backend,
	clock: () => number = () => performance.now(),
): BackendProfile {
	const totals = new Map<keyof Backend, { calls: number; milliseconds: number }>();
	const timed = (method: keyof Backend, call: (...values: unknown[]) => unknown) => {
		return (...values: unknown[]): unknown => {
			const start = clock();
			try {
				return Reflect.apply(call, backend, values);
			} finally {
				const total = totals.get(method) ?? { calls: 0, milliseconds: 0 };
				total.calls += 1;
				total.milliseconds += clock() - start;
				totals.set(method, total);
			}
		};
	};
	const members = Object.entries(backend).map(([name, member]) => [
		name,
		typeof member === 'function' ? timed(name as keyof Backend, member) : member,
	]);
	return {
		backend: Object.fromEntries(members) as Backend,
		times: () =>
			[...totals]
				.map(([method, total]) => ({ method, ...total }))
				.sort((a, b) => b.milliseconds - a.milliseconds),
		reset: () => totals.clear(),
	};
}
