import { twoSidedNormal } from './normal.ts';

/** Above it the distribution is the normal one to 1e-6. */
const NEARLY_NORMAL = 1e5;
const INTERVALS = 4000;

/**
 * Chance that a variable of Student's distribution is at least as far from 0 as `t`. With x = √ν · tan θ its density is that of cos^(ν − 1) θ, which
 * is added up here by Simpson's rule: to 1e-8 for 1 to 10^5 degrees of freedom.
 * @param degrees of freedom, at least 1, not necessarily whole
 */
export function twoSidedStudent(t: number, degrees: number): number {
	if (degrees > NEARLY_NORMAL) return twoSidedNormal(t);
	const density = (angle: number) => Math.cos(angle) ** (degrees - 1);
	const angle = Math.atan(Math.abs(t) / Math.sqrt(degrees));
	// the tail itself, so that a small chance is not lost in what is near 1
	const tail = integral(density, angle, Math.PI / 2);
	return tail / (tail + integral(density, 0, angle));
}

/** By Simpson's rule. */
function integral(f: (x: number) => number, from: number, to: number): number {
	const step = (to - from) / INTERVALS;
	let sum = f(from) + f(to);
	for (let i = 1; i < INTERVALS; i++) sum += (i % 2 === 1 ? 4 : 2) * f(from + i * step);
	return (sum * step) / 3;
}
