export interface ScheduleOptions {
	readonly schedule: 'cosine' | 'linear' | 'constant';
	readonly learningRate: number;
	readonly warmupSteps: number;
	readonly totalSteps: number;
}

/**
 * Learning rate of a step, counted from 1. It rises linearly over the warm-up, whose first step has 0, then falls to
 * 0 along a half cosine or a line over the steps that are left, as in Hugging Face's schedulers.
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
	const { schedule, learningRate, warmupSteps, totalSteps } = options;
	const done = step - 1;
	if (done < warmupSteps) return (learningRate * done) / warmupSteps;
	if (schedule === 'constant') return learningRate;
	const progress = (done - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
	if (schedule === 'linear') return learningRate * Math.max(0, 1 - progress);
	return learningRate * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
