import { VulntuneError } from '../../errors.ts';

/** Test helper: the error for a user that `action` throws; anything else it throws fails the test. */
export function thrownBy(action: () => unknown): VulntuneError {
	try {
		action();
	} catch (error) {
		if (error instanceof VulntuneError) return error;
		throw error;
	}
	throw new Error('nothing was thrown');
}
