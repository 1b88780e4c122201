import type { VulntuneError } from '../../errors.ts';
import { cardFailure, type Driver, DriverFailure } from './driver.ts';

/** What a card has failed at: it answers with that from then on, whatever it is asked, and so does what is told of it. */
export interface CardFailures {
	/** The error to throw for an answer to something that was asked. */
	tell(cause: DriverFailure, about: string): VulntuneError;
	/** A driver that tells so, whichever call hears of it first, and again of all later ones. */
	telling(driver: Driver): Driver;
}

/** @param lastKernel the one that was started last */
export function cardFailures(lastKernel: () => string): CardFailures {
	let first: VulntuneError | undefined;

	function tell(cause: DriverFailure, about: string): VulntuneError {
		if (!cause.isLasting) return cardFailure(`${about}: ${cause.answer}`, cause);
		first ??= cardFailure(
			`the card failed in a kernel not later than ${lastKernel()}: ${cause.answer}`,
			cause,
		);
		return first;
	}

	return {
		tell,
		telling(driver) {
			const told = Object.entries(driver).map(([name, call]) => [
				name,
				(...values: unknown[]) => {
					try {
						return (call as (...values: unknown[]) => unknown)(...values);
					} catch (error) {
						throw error instanceof DriverFailure ? tell(error, `NVIDIA's driver fails`) : error;
					}
				},
			]);
			return Object.fromEntries(told) as Driver;
		},
	};
}
