import { kernelGroups, methodGroup } from '@vulntune/engine';
import type { BenchReport } from '../report.ts';

/** A step's time in parts. */
export interface PartedStep {
	readonly name: string;
	/** Of the whole step; together 1. */
	readonly parts: readonly { readonly name: string; readonly share: number }[];
	/** Share of the time that its products would take at the peak; undefined where the peak isn't known. */
	readonly floor: number | undefined;
}

/** The groups of the engine's own table of kernels, and what is in none of them. */
export const partNames = [...kernelGroups, 'outside kernels'] as const;

/**
 * Where the time of the training steps goes, the floor beside it.
 * @throws RangeError for a kernel that the engine has not: a report of another version
 */
export function partedSteps({ steps, rows }: BenchReport): PartedStep[] {
	return steps
		.filter(({ name }) => name.includes('lora-step'))
		.map(({ name, kernels, outside }) => {
			const shares = new Map<string, number>(partNames.map((part) => [part, 0]));
			const add = (part: string, share: number) => shares.set(part, shares.get(part)! + share);
			for (const [kernel, share] of Object.entries(kernels)) add(methodGroup(kernel), share);
			add('outside kernels', outside);
			const row = rows.find((row) => row.name === name);
			return {
				name,
				parts: [...shares].map(([part, share]) => ({ name: part, share })),
				floor: row?.limitDisturbed ? undefined : (row?.ofLimit ?? undefined),
			};
		});
}
