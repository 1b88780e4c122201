export interface ScheduleOptions {
	readonly schedule: 'cosine' | 'linear' | 'constant';
	readonly learningRate: number;
	readonly warmupSteps: number;
	readonly totalSteps: number;
}

/** Steps of the warm-up: at least one step of a run comes after it, so that no run ends having learnt nothing. */
function warmupOf({ warmupSteps, totalSteps }: Pick<ScheduleOptions, 'warmupSteps' | 'totalSteps'>): number {
	return Math.max(0, Math.min(warmupSteps, totalSteps - 1));
}

/** A line for the user where a run is shorter than its warm-up; undefined where it isn't. */
export function warmupNote(options: Pick<ScheduleOptions, 'warmupSteps' | 'totalSteps'>): string | undefined {
	const { warmupSteps, totalSteps } = options;
	const used = warmupOf(options);
	if (used === warmupSteps) return undefined;
	return `training.warmupSteps ${warmupSteps} is shortened to ${used}: the run has ${totalSteps} optimiser steps in all`;
}

/**
 * Learning rate of a step, counted from 1. It rises linearly over the warm-up, whose first step has 0, then falls to
 * 0 along a half cosine or a line over the steps that are left, as in Hugging Face's schedulers.
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
	const { schedule, learningRate, totalSteps } = options;
	const warmupSteps = warmupOf(options);
	const done = step - 1;
	if (done < warmupSteps) return (learningRate * done) / warmupSteps;
	if (schedule === 'constant') return learningRate;
	const progress = (done - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
	if (schedule === 'linear') return learningRate * Math.max(0, 1 - progress);
	return learningRate * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
